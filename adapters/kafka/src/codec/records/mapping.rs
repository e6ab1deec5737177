//! Records ⇄ messages: `docs/protocol-mapping.md`, the column for Kafka.
//!
//! What Kafka has no place for is a header `x-standpipe-` and its name, behind the producer's own
//! headers, and goes back to its place when the record is read again.

use bytes::Bytes;
use standpipe_core::{
    id::Millis,
    message::{
        Annotations, Headers, Message, Props, Text,
        typed::{from_octets, to_octets},
    },
};

use super::record::Record;

const PREFIX: &str = "x-standpipe-";

type Octets = Vec<(Text, Option<Bytes>)>;

/// The message of a record.
pub(crate) fn message_of(record: Record, timestamp: Option<Millis>) -> Message {
    let mut message = Message {
        key: record.key,
        payload: record.value,
        ..Message::default()
    };
    if !record.headers.is_empty() {
        message.headers = restore(record.headers, &mut message.props, &mut message.annotations);
    }
    message.props.timestamp = timestamp;
    message
}

/// The record of a message, without its place, and the time that it shows: the producer's, else
/// when the broker stored it.
pub(crate) fn record_of(message: &Message) -> (Record, Millis) {
    let annotations = &message.annotations;
    let routing_key = annotations.routing_key.as_ref();
    let routing_key = routing_key
        .filter(|key| !key.is_empty())
        .map(Text::as_bytes);
    let mut headers = to_octets(&message.headers);
    carry(&message.props, annotations, &mut headers);
    let time = message.props.timestamp.or(annotations.appended);
    let record = Record {
        key: message.key.clone().or_else(|| routing_key.cloned()),
        value: message.payload.clone(),
        headers: headers
            .into_iter()
            .map(|(name, value)| (name.as_bytes().clone(), value))
            .collect(),
        ..Record::default()
    };
    (record, time.unwrap_or_default())
}

/// Adds what has no other place in a record.
fn carry(props: &Props, annotations: &Annotations, headers: &mut Octets) {
    let mut put = |name: &str, value: Option<Bytes>| {
        if value.is_some() {
            headers.push((format!("{PREFIX}{name}").into(), value));
        }
    };
    let text = |text: &Option<Text>| text.as_ref().map(|text| text.as_bytes().clone());
    let filled = |field: &Option<Text>| text(field).filter(|octets| !octets.is_empty());
    put("exchange", filled(&annotations.exchange));
    put("routing-key", filled(&annotations.routing_key));
    put("id", text(&props.id));
    put("correlation-id", text(&props.correlation_id));
    put("reply-to", text(&props.reply_to));
    put("content-type", text(&props.content_type));
    put("content-encoding", text(&props.content_encoding));
    put("priority", props.priority.map(decimal));
    put("ttl", props.ttl.map(decimal));
    put("deliver-at", props.deliver_at.map(|at| decimal(at.0)));
    put("user-id", text(&props.user_id));
    put("app-id", text(&props.app_id));
    put("type", text(&props.kind));
    put("durable", props.durable.map(decimal));
}

/// The producer's own headers; those that [`carry`] adds go to where they came from.
fn restore(
    headers: Vec<(Bytes, Option<Bytes>)>,
    props: &mut Props,
    annotations: &mut Annotations,
) -> Headers {
    let mut own: Octets = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let carried = name
            .strip_prefix(PREFIX.as_bytes())
            .zip(value.as_ref())
            .is_some_and(|(name, value)| put_back(name, value, props, annotations));
        if !carried {
            own.push((name.into(), value));
        }
    }
    from_octets(own)
}

/// Whether the header was one of ours, and its value reads as it should.
fn put_back(name: &[u8], value: &Bytes, props: &mut Props, annotations: &mut Annotations) -> bool {
    let text = || Some(Text::from(value.clone()));
    let written = std::str::from_utf8(value).unwrap_or_default();
    match name {
        b"exchange" => annotations.exchange = text(),
        b"routing-key" => annotations.routing_key = text(),
        b"id" => props.id = text(),
        b"correlation-id" => props.correlation_id = text(),
        b"reply-to" => props.reply_to = text(),
        b"content-type" => props.content_type = text(),
        b"content-encoding" => props.content_encoding = text(),
        b"user-id" => props.user_id = text(),
        b"app-id" => props.app_id = text(),
        b"type" => props.kind = text(),
        b"priority" => return set(&mut props.priority, written.parse()),
        b"ttl" => return set(&mut props.ttl, written.parse()),
        b"deliver-at" => return set(&mut props.deliver_at, written.parse().map(Millis)),
        b"durable" => return set(&mut props.durable, written.parse()),
        _ => return false,
    }
    true
}

fn set<T, E>(place: &mut Option<T>, value: Result<T, E>) -> bool {
    let value = value.ok();
    let reads = value.is_some();
    *place = value.or_else(|| place.take());
    reads
}

fn decimal(number: impl ToString) -> Bytes {
    Bytes::from(number.to_string())
}
