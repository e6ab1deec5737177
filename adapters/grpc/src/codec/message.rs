//! Messages.

use standpipe_core::{
    Result,
    id::{Millis, Offset, PartitionId},
    message::{Annotations, Message, Text},
};

use super::{
    props::{props_from_proto, props_to_proto},
    value::{headers_from_proto, headers_to_proto},
};
use crate::proto;

/// A message of core as the .proto has it, annotations included.
pub fn message_to_proto(message: Message) -> proto::Message {
    proto::Message {
        key: message.key,
        payload: message.payload,
        headers: headers_to_proto(message.headers),
        props: props_to_proto(message.props),
        annotations: annotations_to_proto(message.annotations),
    }
}

/// A message of the .proto as core has it, annotations included.
///
/// # Errors
/// `Invalid` where a number does not fit the width that its field names, or values nest too deep.
pub fn message_from_proto(message: proto::Message) -> Result<Message> {
    Ok(Message {
        key: message.key,
        payload: message.payload,
        headers: headers_from_proto(message.headers)?,
        props: props_from_proto(message.props.unwrap_or_default())?,
        annotations: annotations_from_proto(message.annotations.unwrap_or_default()),
    })
}

fn annotations_to_proto(from: Annotations) -> Option<proto::Annotations> {
    let bytes = |text: Option<Text>| text.map(|text| text.as_bytes().clone());
    let to = proto::Annotations {
        exchange: bytes(from.exchange),
        routing_key: bytes(from.routing_key),
        topic: bytes(from.topic),
        partition: from.partition.map(|partition| partition.0),
        offset: from.offset.map(|offset| offset.0),
        attempts: from.attempts,
        appended_ms: from.appended.map(|at| at.0),
    };
    (to != proto::Annotations::default()).then_some(to)
}

fn annotations_from_proto(from: proto::Annotations) -> Annotations {
    Annotations {
        exchange: from.exchange.map(Text::from),
        routing_key: from.routing_key.map(Text::from),
        topic: from.topic.map(Text::from),
        partition: from.partition.map(PartitionId),
        offset: from.offset.map(Offset),
        attempts: from.attempts,
        appended: from.appended_ms.map(Millis),
    }
}
