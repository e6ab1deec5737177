//! JSON to messages.

use std::{borrow::Cow, fmt};

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, Visitor},
};

use super::read_value::{OctetsSeed, PairsSeed, Read, ValueSeed};
use crate::{
    id::Millis,
    message::{Message, Props, Text, Value},
};

pub(super) fn line(line: &[u8]) -> Result<(Option<String>, Message), serde_json::Error> {
    let mut json = serde_json::Deserializer::from_slice(line);
    // Its own limit counts the levels of JSON, up to three for each of ours; what recurses here
    // is bounded by the depth that the seeds count, and what is skipped is not recursed into.
    json.disable_recursion_limit();
    let found = json.deserialize_map(EnvelopeVisitor)?;
    json.end()?;
    Ok(found)
}

struct EnvelopeVisitor;

impl<'de> Visitor<'de> for EnvelopeVisitor {
    type Value = (Option<String>, Message);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an envelope, such as {\"payload\":\"…\"}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut seen = Vec::with_capacity(6);
        let mut seq = None;
        let mut message = Message::default();
        while let Some(field) = map.next_key::<Cow<'de, str>>()? {
            match field.as_ref() {
                "seq" => seq = Some(map.next_value()?),
                "key" => message.key = map.next_value_seed(OctetsSeed)?,
                "payload" => message.payload = map.next_value_seed(OctetsSeed)?,
                "headers" => {
                    let pairs = map.next_value_seed(PairsSeed(0))?;
                    message.headers = pairs.into_iter().collect();
                }
                "props" => message.props = map.next_value_seed(PropsSeed)?,
                "meta" => {
                    map.next_value::<IgnoredAny>()?;
                }
                other => {
                    return Err(A::Error::custom(format_args!(
                        "unknown field `{other}`; known: key, payload, headers, props, meta"
                    )));
                }
            }
            if seen.contains(&field) {
                return Err(A::Error::custom(format_args!("`{field}` is given twice")));
            }
            seen.push(field);
        }
        Ok((seq, message))
    }
}

struct PropsSeed;

impl<'de> DeserializeSeed<'de> for PropsSeed {
    type Value = Props;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Props, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for PropsSeed {
    type Value = Props;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of properties")
    }

    fn visit_unit<E: Error>(self) -> Result<Props, E> {
        Ok(Props::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Props, A::Error> {
        let mut seen = Vec::new();
        let mut props = Props::default();
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            match map.next_value_seed(ValueSeed(0))? {
                Read::Value(Value::Null) => {}
                value => set(&mut props, &name, &value).map_err(A::Error::custom)?,
            }
            if seen.contains(&name) {
                return Err(A::Error::custom(format_args!("`{name}` is given twice")));
            }
            seen.push(name);
        }
        Ok(props)
    }
}

const NAMES: &str = "id, correlation_id, reply_to, content_type, content_encoding, priority, ttl, \
                     deliver_at, timestamp, user_id, app_id, type, durable";

fn set(props: &mut Props, name: &str, value: &Read) -> Result<(), String> {
    match name {
        "id" => props.id = Some(text(name, value)?),
        "correlation_id" => props.correlation_id = Some(text(name, value)?),
        "reply_to" => props.reply_to = Some(text(name, value)?),
        "content_type" => props.content_type = Some(text(name, value)?),
        "content_encoding" => props.content_encoding = Some(text(name, value)?),
        "user_id" => props.user_id = Some(text(name, value)?),
        "app_id" => props.app_id = Some(text(name, value)?),
        "type" => props.kind = Some(text(name, value)?),
        "priority" => {
            let priority = u8::try_from(number(name, value)?);
            props.priority = Some(priority.map_err(|_| "`priority` is 0 to 255".to_owned())?);
        }
        "ttl" => props.ttl = Some(number(name, value)?),
        "deliver_at" => props.deliver_at = Some(time(name, value)?),
        "timestamp" => props.timestamp = Some(time(name, value)?),
        "durable" => match value {
            Read::Value(Value::Bool(durable)) => props.durable = Some(*durable),
            _ => return Err("`durable` is true or false".to_owned()),
        },
        _ => return Err(format!("unknown property `{name}`; known: {NAMES}")),
    }
    Ok(())
}

fn text(name: &str, value: &Read) -> Result<Text, String> {
    match value {
        Read::Value(Value::Text(text)) => Ok(text.clone()),
        Read::Value(Value::Bytes(bytes)) => Ok(Text::from(bytes.clone())),
        _ => Err(format!("`{name}` is text: a string or {{\"b64\":\"…\"}}")),
    }
}

fn number(name: &str, value: &Read) -> Result<u64, String> {
    let signed = match value {
        Read::U64(n) => return Ok(*n),
        Read::Value(Value::U8(n)) => i64::from(*n),
        Read::Value(Value::U16(n)) => i64::from(*n),
        Read::Value(Value::U32(n)) => i64::from(*n),
        Read::Value(Value::I8(n)) => i64::from(*n),
        Read::Value(Value::I16(n)) => i64::from(*n),
        Read::Value(Value::I32(n)) => i64::from(*n),
        Read::Value(Value::I64(n)) => *n,
        _ => return Err(format!("`{name}` is a whole number: {{\"u64\":\"5\"}}")),
    };
    u64::try_from(signed).map_err(|_| format!("`{name}` is negative"))
}

fn time(name: &str, value: &Read) -> Result<Millis, String> {
    match value {
        Read::Value(Value::Timestamp(at)) => Ok(*at),
        _ => Err(format!(
            "`{name}` is a time: {{\"ts\":\"2013-01-01T05:00:00Z\"}}"
        )),
    }
}
