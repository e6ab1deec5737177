//! Messages as lapin has them.

use bytes::Bytes;
use lapin::{BasicProperties, message::Delivery, types::ShortString};
use standpipe_core::{
    Error, ErrorKind, Result,
    message::{Message, Text},
};

use super::{
    field::{from_lapin, text, to_lapin},
    target::short_text,
};
use crate::codec::{
    message::{from_amqp, to_amqp},
    properties::Properties,
    stored::Stored,
};

const PERSISTENT: u8 = 2;
/// The longest time to live that RabbitMQ takes; it closes the channel on a longer one.
const LONGEST_TTL_MILLIS: u64 = 4_294_967_295;

/// A message's properties and body for lapin.
///
/// # Errors
/// `Unsupported` where AMQP cannot carry the message, `user` may not send it, or its properties
/// are longer than `frame_max`.
pub(super) fn outgoing(
    message: &Message,
    user: &str,
    frame_max: usize,
) -> Result<(BasicProperties, Bytes)> {
    let refused = |why: String| Err(Error::new(ErrorKind::Unsupported, "send", why));
    if message
        .props
        .ttl
        .is_some_and(|ttl| ttl > LONGEST_TTL_MILLIS)
    {
        return refused(format!("a time to live above {LONGEST_TTL_MILLIS} ms"));
    }
    // A broker ends the channel, and everything under way on it, on another's user id.
    if message.props.user_id.as_ref().is_some_and(|id| *id != user) {
        return refused(format!(
            "the property user-id is not `{user}`, who is logged in"
        ));
    }
    let stored = to_amqp(message)?;
    if stored.properties.len() + 32 > frame_max {
        let length = stored.properties.len();
        return refused(format!(
            "properties of {length} octets; a frame holds {frame_max}"
        ));
    }
    let properties = Properties::decode(stored.properties)?;
    Ok((to_basic(&properties)?, stored.body))
}

/// A delivery as a message. Its key is the header's, else the routing key where not empty.
///
/// # Errors
/// `Invalid` where the header table is nested too deep.
pub(super) fn incoming(delivery: &mut Delivery) -> Result<Message> {
    let properties = from_basic(&delivery.properties)?;
    let mut message = from_amqp(&Stored {
        properties: properties.encode(),
        body: std::mem::take(&mut delivery.data).into(),
    })?;
    let routing_key = text(&delivery.routing_key);
    if message.key.is_none() && !routing_key.is_empty() {
        message.key = Some(routing_key.as_bytes().clone());
    }
    message.annotations.exchange = Some(text(&delivery.exchange));
    message.annotations.routing_key = Some(routing_key);
    Ok(message)
}

fn to_basic(properties: &Properties) -> Result<BasicProperties> {
    let mut basic = BasicProperties::default()
        .with_delivery_mode(properties.delivery_mode.unwrap_or(PERSISTENT));
    macro_rules! set {
        ($($field:ident => $with:ident),*) => {
            $(if let Some(value) = &properties.$field {
                basic = basic.$with(short_text(value)?);
            })*
        };
    }
    set!(
        content_type => with_content_type,
        content_encoding => with_content_encoding,
        correlation_id => with_correlation_id,
        reply_to => with_reply_to,
        expiration => with_expiration,
        message_id => with_message_id,
        kind => with_type,
        user_id => with_user_id,
        app_id => with_app_id
    );
    if let Some(priority) = properties.priority {
        basic = basic.with_priority(priority);
    }
    if let Some(seconds) = properties.timestamp {
        basic = basic.with_timestamp(seconds);
    }
    if properties.headers.is_some() {
        basic = basic.with_headers(to_lapin(&properties.table()?)?);
    }
    Ok(basic)
}

/// lapin's properties as the codec has them.
///
/// # Errors
/// `Invalid` where the header table is nested too deep.
pub(super) fn from_basic(basic: &BasicProperties) -> Result<Properties> {
    let short = |value: &Option<ShortString>| -> Option<Text> { value.as_ref().map(text) };
    let mut properties = Properties {
        content_type: short(basic.content_type()),
        content_encoding: short(basic.content_encoding()),
        headers: None,
        delivery_mode: *basic.delivery_mode(),
        priority: *basic.priority(),
        correlation_id: short(basic.correlation_id()),
        reply_to: short(basic.reply_to()),
        expiration: short(basic.expiration()),
        message_id: short(basic.message_id()),
        timestamp: *basic.timestamp(),
        kind: short(basic.kind()),
        user_id: short(basic.user_id()),
        app_id: short(basic.app_id()),
        cluster_id: None,
    };
    if let Some(headers) = basic.headers() {
        properties.set_table(&from_lapin(headers))?;
    }
    Ok(properties)
}

#[cfg(test)]
mod tests {
    use standpipe_core::{id::Millis, message::Value};

    use super::*;

    fn there_and_back(message: &Message) -> Message {
        let (properties, body) = outgoing(message, "guest", 131_072).unwrap();
        let key = message.key.as_ref().map(|_| "").unwrap_or_default();
        let mut delivery = Delivery::mock(1, "".into(), key.into(), false, body.to_vec());
        delivery.properties = properties;
        let mut message = incoming(&mut delivery).unwrap();
        message.annotations = Default::default();
        message
    }

    #[test]
    fn what_amqp_can_carry_survives_lapin_both_ways() {
        let mut message = Message::new("body")
            .with_key("k")
            .with_header("a", Value::Null)
            .with_header("b", Value::Bytes(vec![0xff].into()))
            .with_header("c", Value::List(vec![Value::I64(5), Value::F64(1.5)]))
            .with_header("d", Value::Table(vec![("x".into(), Value::Bool(true))]))
            .with_header("e", Value::Timestamp(Millis(1_357_016_400_000)))
            .with_header("f", "");
        message.props.durable = Some(true);
        message.props.id = Some("id".into());
        message.props.ttl = Some(60_000);
        message.props.timestamp = Some(Millis(1_357_016_400_123));
        assert_eq!(there_and_back(&message), message);
    }

    #[test]
    fn tombstones_and_duplicates_survive() {
        let mut message = Message::default()
            .with_key("k")
            .with_header("a", "1")
            .with_header("b", "2")
            .with_header("a", "3");
        message.props.durable = Some(false);
        assert_eq!(there_and_back(&message), message);
    }

    #[test]
    fn messages_are_persistent_unless_their_producer_said_otherwise() {
        let mode = |durable| {
            let mut message = Message::new("x");
            message.props.durable = durable;
            *outgoing(&message, "guest", 4096).unwrap().0.delivery_mode()
        };
        assert_eq!(mode(None), Some(2));
        assert_eq!(mode(Some(true)), Some(2));
        assert_eq!(mode(Some(false)), Some(1));
    }

    #[test]
    fn what_would_end_the_channel_is_refused_before_it_is_sent() {
        let mut other = Message::new("x");
        other.props.user_id = Some("alice".into());
        let mut long = Message::new("x");
        long.props.ttl = Some(u64::MAX);
        let wide = Message::new("x").with_header("h", "v".repeat(5000).as_str());
        for message in [other, long, wide] {
            let refused = outgoing(&message, "guest", 4096).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Unsupported, "{refused}");
        }
    }
}
