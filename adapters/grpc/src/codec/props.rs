//! Standard properties.

use standpipe_core::{
    Result,
    id::Millis,
    message::{Props, Text},
};

use super::invalid;
use crate::proto;

pub(super) fn props_to_proto(from: Props) -> Option<proto::Props> {
    let bytes = |text: Option<Text>| text.map(|text| text.as_bytes().clone());
    let to = proto::Props {
        id: bytes(from.id),
        correlation_id: bytes(from.correlation_id),
        reply_to: bytes(from.reply_to),
        content_type: bytes(from.content_type),
        content_encoding: bytes(from.content_encoding),
        priority: from.priority.map(u32::from),
        ttl_ms: from.ttl,
        deliver_at_ms: from.deliver_at.map(|at| at.0),
        timestamp_ms: from.timestamp.map(|at| at.0),
        user_id: bytes(from.user_id),
        app_id: bytes(from.app_id),
        r#type: bytes(from.kind),
        durable: from.durable,
    };
    (to != proto::Props::default()).then_some(to)
}

pub(super) fn props_from_proto(from: proto::Props) -> Result<Props> {
    let priority = from.priority.map(|priority| {
        u8::try_from(priority).map_err(|_| invalid(format!("priority {priority} is above 255")))
    });
    Ok(Props {
        id: from.id.map(Text::from),
        correlation_id: from.correlation_id.map(Text::from),
        reply_to: from.reply_to.map(Text::from),
        content_type: from.content_type.map(Text::from),
        content_encoding: from.content_encoding.map(Text::from),
        priority: priority.transpose()?,
        ttl: from.ttl_ms,
        deliver_at: from.deliver_at_ms.map(Millis),
        timestamp: from.timestamp_ms.map(Millis),
        user_id: from.user_id.map(Text::from),
        app_id: from.app_id.map(Text::from),
        kind: from.r#type.map(Text::from),
        durable: from.durable,
    })
}
