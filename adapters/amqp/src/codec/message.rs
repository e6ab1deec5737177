//! AMQP 0-9-1 ⇄ [`Message`].
//!
//! | AMQP 0-9-1 | message |
//! |---|---|
//! | body | payload; absent where empty and the header `x-standpipe-tombstone` is true |
//! | header `x-standpipe-key` | key; where absent, a non-empty routing key is the key |
//! | exchange, routing key | annotations |
//! | headers | headers, in order; octets `x` stay octets, `V` is null |
//! | header `x-standpipe-headers` | all headers, an array of `[name, value]`, where names repeat or are ours |
//! | header `x-standpipe-types` | `name:ts` for times finer than AMQP's seconds or before 1970, kept as milliseconds |
//! | `timestamp`, header `timestamp_in_ms` | timestamp, where the two agree to the second; the header alone where before 1970 |
//! | `expiration` | time to live in milliseconds |
//! | header `x-standpipe-deliver-at` | deliver-at, milliseconds |
//! | `delivery-mode` | durable: 2 true, other values false |
//! | `message-id`, `correlation-id`, `reply-to`, `content-type`, `content-encoding`, `priority`, `user-id`, `app-id`, `type` | the property of that name |
//! | `cluster-id` | not carried |
//!
//! What AMQP cannot carry is an error of kind `Unsupported`: a header name or property above 255
//! octets, more than 64 levels of nesting.

use std::collections::HashSet;

use bytes::Bytes;
use standpipe_core::{
    Result,
    id::Millis,
    message::{Header, Headers, Message, Props, TYPES_HEADER, Text, Types, Value},
};

use super::{
    properties::Properties,
    stored::Stored,
    table::{Table, unconvertible},
};

/// The header that carries a message's key.
pub(crate) const KEY: &str = "x-standpipe-key";
const TOMBSTONE: &str = "x-standpipe-tombstone";
const HEADERS: &str = "x-standpipe-headers";
const DELIVER_AT: &str = "x-standpipe-deliver-at";
const TIMESTAMP_IN_MS: &str = "timestamp_in_ms";
const RESERVED: [&str; 6] = [
    KEY,
    TOMBSTONE,
    HEADERS,
    TYPES_HEADER,
    DELIVER_AT,
    TIMESTAMP_IN_MS,
];

/// A message of AMQP's parts. The routing key is left to the caller.
///
/// # Errors
/// `Invalid` where the properties do not decode.
pub(crate) fn from_amqp(stored: &Stored) -> Result<Message> {
    let properties = Properties::decode(stored.properties.clone())?;
    let mut headers: Headers = properties.table()?.into_iter().collect();
    let mut props = props_of(&properties);
    props.timestamp = take_timestamp(&properties, &mut headers);
    if let Some(Value::I64(at)) = headers.get(DELIVER_AT) {
        props.deliver_at = Some(Millis(*at));
        headers.remove(DELIVER_AT);
    }
    let dead = stored.body.is_empty() && headers.get(TOMBSTONE) == Some(&Value::Bool(true));
    if dead {
        headers.remove(TOMBSTONE);
    }
    let key = key_of(&headers);
    if key.is_some() {
        headers.remove(KEY);
    }
    let types = headers.remove(TYPES_HEADER);
    let headers = restore_array(headers);
    Ok(Message {
        key,
        payload: (!dead).then(|| stored.body.clone()),
        headers: match types {
            Some(Value::Text(list)) => restore_types(&list, headers),
            _ => headers,
        },
        props,
        ..Message::default()
    })
}

/// AMQP's parts of a message.
///
/// # Errors
/// `Unsupported` where AMQP 0-9-1 cannot carry it.
pub(crate) fn to_amqp(message: &Message) -> Result<Stored> {
    let mut properties = properties_of(&message.props)?;
    properties.set_table(&table_of(message))?;
    Ok(Stored {
        properties: properties.encode(),
        body: message.payload.clone().unwrap_or_default(),
    })
}

/// The producer's clock: milliseconds where a header has them, else the property's seconds.
pub(crate) fn timestamp(properties: &Properties) -> Option<Millis> {
    properties.timestamp?;
    let mut headers = properties.table().ok()?.into_iter().collect();
    take_timestamp(properties, &mut headers)
}

/// The key in a header table, text or octets.
pub(crate) fn key_of(headers: &Headers) -> Option<Bytes> {
    match headers.get(KEY)? {
        Value::Text(text) => Some(text.as_bytes().clone()),
        Value::Bytes(bytes) => Some(bytes.clone()),
        _ => None,
    }
}

fn props_of(properties: &Properties) -> Props {
    let ttl = properties.expiration.as_ref().and_then(Text::as_str);
    Props {
        id: properties.message_id.clone(),
        correlation_id: properties.correlation_id.clone(),
        reply_to: properties.reply_to.clone(),
        content_type: properties.content_type.clone(),
        content_encoding: properties.content_encoding.clone(),
        priority: properties.priority,
        ttl: ttl.and_then(|text| text.parse().ok()),
        deliver_at: None,
        timestamp: None,
        user_id: properties.user_id.clone(),
        app_id: properties.app_id.clone(),
        kind: properties.kind.clone(),
        durable: properties.delivery_mode.map(|mode| mode == 2),
    }
}

fn properties_of(props: &Props) -> Result<Properties> {
    let short = |name: &str, text: &Option<Text>| match text {
        Some(text) if text.len() > 255 => Err(unconvertible(format!(
            "the property {name} has {} octets; AMQP carries at most 255",
            text.len()
        ))),
        text => Ok(text.clone()),
    };
    // What is before 1970 goes into a header alone, as in `carried`.
    let seconds = props.timestamp.map(|at| at.0.div_euclid(1000));
    Ok(Properties {
        content_type: short("content-type", &props.content_type)?,
        content_encoding: short("content-encoding", &props.content_encoding)?,
        headers: None,
        delivery_mode: props.durable.map(|durable| if durable { 2 } else { 1 }),
        priority: props.priority,
        correlation_id: short("correlation-id", &props.correlation_id)?,
        reply_to: short("reply-to", &props.reply_to)?,
        expiration: props.ttl.map(|ttl| ttl.to_string().into()),
        message_id: short("message-id", &props.id)?,
        timestamp: seconds.and_then(|s| u64::try_from(s).ok()),
        kind: short("type", &props.kind)?,
        user_id: short("user-id", &props.user_id)?,
        app_id: short("app-id", &props.app_id)?,
        cluster_id: None,
    })
}

/// The header table of a message: each name once, then what AMQP has no other place for.
fn table_of(message: &Message) -> Table {
    let mut seen = HashSet::new();
    let mut table: Table = message
        .headers
        .iter()
        .filter(|(name, _)| seen.insert(name.clone()) && !RESERVED.iter().any(|r| *name == *r))
        .map(|(name, value)| (name.clone(), carried(value)))
        .collect();
    if table.len() != message.headers.len() {
        let pair = |(name, value): &(Text, Value)| {
            Value::List(vec![Value::Text(name.clone()), carried(value)])
        };
        let all = message.headers.iter().map(pair).collect();
        table.push((HEADERS.into(), Value::List(all)));
    }
    if let Some(types) = fine_times(&message.headers) {
        table.push((TYPES_HEADER.into(), Value::Text(types)));
    }
    if let Some(key) = &message.key {
        table.push((KEY.into(), Value::from_octets(key.clone())));
    }
    if message.payload.is_none() {
        table.push((TOMBSTONE.into(), Value::Bool(true)));
    }
    if let Some(at) = message.props.timestamp {
        table.push((TIMESTAMP_IN_MS.into(), Value::I64(at.0)));
    }
    if let Some(at) = message.props.deliver_at {
        table.push((DELIVER_AT.into(), Value::I64(at.0)));
    }
    table
}

/// A value with its times before 1970 as milliseconds. `T` has them too, but clients in Python take
/// its seconds as unsigned, and lose their connection over a message that nobody sent over AMQP.
fn carried(value: &Value) -> Value {
    match value {
        Value::Timestamp(at) if at.0 < 0 => Value::I64(at.0),
        Value::List(items) => Value::List(items.iter().map(carried).collect()),
        Value::Table(fields) => {
            let pair = |(name, value): &(Text, Value)| (name.clone(), carried(value));
            Value::Table(fields.iter().map(pair).collect())
        }
        value => value.clone(),
    }
}

/// Which headers are points in time that are carried as milliseconds.
fn fine_times(headers: &Headers) -> Option<Text> {
    let kind = |value: &Value| match value {
        Value::Timestamp(at) if at.0 < 0 || at.0 % 1000 != 0 => Some("ts"),
        _ => None,
    };
    Types::list(headers.iter().map(|(name, value)| (name, kind(value))))
}

fn restore_types(list: &Text, headers: Headers) -> Headers {
    let mut headers: Vec<Header> = headers.into_iter().collect();
    Types::read(list).restore(&mut headers, |kind, value| match (kind, value) {
        ("ts", Value::I64(at)) => Some(Value::Timestamp(Millis(*at))),
        _ => None,
    });
    headers.into_iter().collect()
}

/// The property's seconds, made finer by the header where the two agree.
fn take_timestamp(properties: &Properties, headers: &mut Headers) -> Option<Millis> {
    let seconds = properties.timestamp.map(u64::cast_signed);
    if let Some(Value::I64(ms)) = headers.get(TIMESTAMP_IN_MS) {
        let (at, whole) = (Millis(*ms), ms.div_euclid(1000));
        if seconds == Some(whole) || (seconds.is_none() && whole < 0) {
            headers.remove(TIMESTAMP_IN_MS);
            return Some(at);
        }
    }
    seconds.map(|s| Millis(s.saturating_mul(1000)))
}

/// Where `x-standpipe-headers` holds all headers, those; what was added beside them follows.
fn restore_array(mut headers: Headers) -> Headers {
    let Some(Value::List(pairs)) = headers.get(HEADERS) else {
        return headers;
    };
    let pair = |pair: &Value| match pair {
        Value::List(two) => match two.as_slice() {
            [Value::Text(name), value] => Some((name.clone(), value.clone())),
            _ => None,
        },
        _ => None,
    };
    let Some(mut all) = pairs.iter().map(pair).collect::<Option<Vec<_>>>() else {
        return headers;
    };
    headers.remove(HEADERS);
    let known: HashSet<Text> = all.iter().map(|(name, _)| name.clone()).collect();
    all.extend(
        headers
            .into_iter()
            .filter(|(name, _)| !known.contains(name)),
    );
    all.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(message: &Message) -> Message {
        from_amqp(&to_amqp(message).unwrap()).unwrap()
    }

    fn names(message: &Message) -> Vec<String> {
        let stored = to_amqp(message).unwrap();
        let table = Properties::decode(stored.properties)
            .unwrap()
            .table()
            .unwrap();
        table.iter().map(|(name, _)| name.to_string()).collect()
    }

    #[test]
    fn a_kafka_record_is_restored_exactly() {
        let mut message = Message::default()
            .with_key(vec![0xff, 0x00])
            .with_header("a", "1")
            .with_header("b", Value::Null)
            .with_header("a", Value::Bytes(Bytes::from_static(b"\xfe")))
            .with_header("timestamp_in_ms", "mine");
        message.props.timestamp = Some(Millis(1_357_016_400_123));
        assert_eq!(there_and_back(&message), message);
        assert_eq!(
            names(&message),
            ["a", "b", HEADERS, KEY, TOMBSTONE, TIMESTAMP_IN_MS]
        );
    }

    #[test]
    fn plain_headers_gain_nothing() {
        let message = Message::new("x")
            .with_header("a", 5i64)
            .with_header("at", Value::Timestamp(Millis(1000)));
        assert_eq!(there_and_back(&message), message);
        assert_eq!(names(&message), ["a", "at"]);
    }

    #[test]
    fn every_property_is_restored() {
        let text = |t: &str| Some(Text::from(t));
        let mut message = Message::new("");
        message.props = Props {
            id: text("id"),
            correlation_id: text("c"),
            reply_to: text("r"),
            content_type: text("t"),
            content_encoding: text("e"),
            priority: Some(9),
            ttl: Some(60_000),
            deliver_at: Some(Millis(5)),
            timestamp: Some(Millis(-1)),
            user_id: text("guest"),
            app_id: text("app"),
            kind: text("kind"),
            durable: Some(true),
        };
        message.headers.push("fine", Value::Timestamp(Millis(1001)));
        message.headers.push("long", Value::I64(1001));
        assert_eq!(there_and_back(&message), message);
    }

    /// A message as an AMQP client published it, with this property and header `at`.
    fn published(timestamp: i64, at: i64) -> Message {
        let mut properties = Properties {
            timestamp: Some(timestamp.cast_unsigned()),
            ..Properties::default()
        };
        let header = (Text::from("at"), Value::Timestamp(Millis(at)));
        properties.set_table(&vec![header]).unwrap();
        let stored = Stored {
            properties: properties.encode(),
            body: Bytes::new(),
        };
        let message = from_amqp(&stored).unwrap();
        assert_eq!(super::timestamp(&properties), message.props.timestamp);
        message
    }

    #[test]
    fn times_before_1970_are_read_and_reach_other_clients_as_numbers() {
        let message = published(-1, -62_135_596_800_000);
        assert_eq!(message.props.timestamp, Some(Millis(-1000)));
        let zero = Value::Timestamp(Millis(-62_135_596_800_000));
        assert_eq!(message.headers.get("at"), Some(&zero));
        let message = message.with_header("in", Value::List(vec![zero]));
        let stored = to_amqp(&message).unwrap();
        let properties = Properties::decode(stored.properties).unwrap();
        assert_eq!(properties.timestamp, None);
        let table: Headers = properties.table().unwrap().into_iter().collect();
        let zero = Value::I64(-62_135_596_800_000);
        assert_eq!(table.get("at"), Some(&zero));
        assert_eq!(table.get("in"), Some(&Value::List(vec![zero])));
        assert_eq!(table.get(TIMESTAMP_IN_MS), Some(&Value::I64(-1000)));
        assert_eq!(there_and_back(&published(-1, -1000)), published(-1, -1000));
    }

    #[test]
    fn seconds_beyond_our_milliseconds_are_the_last_of_them() {
        let at = |seconds| published(seconds, 0).props.timestamp;
        assert_eq!(at(i64::MAX), Some(Millis(i64::MAX)));
        assert_eq!(at(i64::MIN), Some(Millis(i64::MIN)));
    }

    /// lapin's header tables are sorted, and hold each name once.
    fn sorted(stored: Stored) -> Stored {
        let mut properties = Properties::decode(stored.properties).unwrap();
        let mut table = properties.table().unwrap();
        table.sort_by(|a, b| a.0.cmp(&b.0));
        properties.set_table(&table).unwrap();
        Stored {
            properties: properties.encode(),
            body: stored.body,
        }
    }

    #[test]
    fn times_are_restored_from_a_table_that_a_client_sorted() {
        let message = Message::new("x")
            .with_header("z", Value::Timestamp(Millis(1001)))
            .with_header("a", 1001i64)
            .with_header("m", Value::Timestamp(Millis(-1)));
        let restored = from_amqp(&sorted(to_amqp(&message).unwrap())).unwrap();
        let mut expected: Vec<_> = message.headers.into_iter().collect();
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(restored.headers, expected.into_iter().collect());
    }

    #[test]
    fn times_of_repeated_names_are_restored_in_their_order() {
        let message = Message::new("x")
            .with_header("z", 1001i64)
            .with_header("z", Value::Timestamp(Millis(1001)))
            .with_header("a", Value::Timestamp(Millis(2002)));
        let restored = from_amqp(&sorted(to_amqp(&message).unwrap())).unwrap();
        assert_eq!(restored.headers, message.headers);
    }

    #[test]
    fn a_name_above_255_octets_is_unconvertible() {
        let message = Message::new("x").with_header("n".repeat(256), "v");
        let refused = to_amqp(&message).unwrap_err();
        assert_eq!(refused.kind(), standpipe_core::ErrorKind::Unsupported);
    }
}
