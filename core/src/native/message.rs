//! A message as tagged fields.

use bytes::{BufMut, Bytes, BytesMut};

use super::{put_value, take_value};
use crate::{
    error::Result,
    id::Millis,
    message::{Message, Parts, Props, Text},
    wire::{Reader, Writer},
};

const KEY: u8 = 1;
const PAYLOAD: u8 = 2;
const HEADER: u8 = 3;
const ID: u8 = 16;
const CORRELATION_ID: u8 = 17;
const REPLY_TO: u8 = 18;
const CONTENT_TYPE: u8 = 19;
const CONTENT_ENCODING: u8 = 20;
const PRIORITY: u8 = 21;
const TTL: u8 = 22;
const DELIVER_AT: u8 = 23;
const TIMESTAMP: u8 = 24;
const USER_ID: u8 = 25;
const APP_ID: u8 = 26;
const KIND: u8 = 27;
const DURABLE: u8 = 28;

/// Appends `message` without its annotations and without an outer length.
pub fn put_message(out: &mut BytesMut, message: &Message) {
    if let Some(key) = &message.key {
        put_field(out, KEY, key);
    }
    for (name, value) in &message.headers {
        let mut field = BytesMut::new();
        field.put_bytes_with_length(name.as_bytes());
        put_value(&mut field, value);
        put_field(out, HEADER, &field);
    }
    put_props(out, &message.props);
    if let Some(payload) = &message.payload {
        put_field(out, PAYLOAD, payload);
    }
}

/// Reads a message that fills `bytes` whole; fields of later versions are skipped.
///
/// # Errors
/// `Invalid` where the bytes are cut short or nested too deep; `TooLarge` where it has more headers
/// and values than `parts` has left.
pub fn take_message(bytes: Bytes, parts: &mut Parts) -> Result<Message> {
    let mut reader = Reader::new(bytes, "decode native message");
    parts.take(reader.operation())?;
    let mut message = Message::default();
    while !reader.is_empty() {
        let tag = reader.u8()?;
        let octets = reader.bytes()?;
        match tag {
            KEY => message.key = Some(octets),
            PAYLOAD => message.payload = Some(octets),
            HEADER => {
                let mut field = Reader::new(octets, "decode native header");
                let name = Text::from(field.bytes()?);
                parts.take(field.operation())?;
                message.headers.push(name, take_value(&mut field, parts)?);
            }
            _ => take_prop(&mut message.props, tag, octets)?,
        }
    }
    Ok(message)
}

fn put_field(out: &mut BytesMut, tag: u8, octets: &[u8]) {
    out.put_u8(tag);
    out.put_bytes_with_length(octets);
}

fn put_props(out: &mut BytesMut, props: &Props) {
    let texts = [
        (ID, &props.id),
        (CORRELATION_ID, &props.correlation_id),
        (REPLY_TO, &props.reply_to),
        (CONTENT_TYPE, &props.content_type),
        (CONTENT_ENCODING, &props.content_encoding),
        (USER_ID, &props.user_id),
        (APP_ID, &props.app_id),
        (KIND, &props.kind),
    ];
    for (tag, text) in texts {
        if let Some(text) = text {
            put_field(out, tag, text.as_bytes());
        }
    }
    if let Some(priority) = props.priority {
        put_field(out, PRIORITY, &[priority]);
    }
    if let Some(ttl) = props.ttl {
        put_field(out, TTL, &ttl.to_be_bytes());
    }
    if let Some(at) = props.deliver_at {
        put_field(out, DELIVER_AT, &at.0.to_be_bytes());
    }
    if let Some(at) = props.timestamp {
        put_field(out, TIMESTAMP, &at.0.to_be_bytes());
    }
    if let Some(durable) = props.durable {
        put_field(out, DURABLE, &[u8::from(durable)]);
    }
}

fn take_prop(props: &mut Props, tag: u8, octets: Bytes) -> Result<()> {
    let mut field = Reader::new(octets.clone(), "decode native property");
    let text = || Some(Text::from(octets.clone()));
    match tag {
        ID => props.id = text(),
        CORRELATION_ID => props.correlation_id = text(),
        REPLY_TO => props.reply_to = text(),
        CONTENT_TYPE => props.content_type = text(),
        CONTENT_ENCODING => props.content_encoding = text(),
        USER_ID => props.user_id = text(),
        APP_ID => props.app_id = text(),
        KIND => props.kind = text(),
        PRIORITY => props.priority = Some(field.u8()?),
        TTL => props.ttl = Some(field.u64()?),
        DELIVER_AT => props.deliver_at = Some(Millis(field.i64()?)),
        TIMESTAMP => props.timestamp = Some(Millis(field.i64()?)),
        DURABLE => props.durable = Some(field.u8()? != 0),
        _ => {}
    }
    Ok(())
}
