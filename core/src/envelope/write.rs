//! Messages to JSON, straight into the buffer.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{
    Serialize, Serializer,
    ser::{Error as _, SerializeMap as _, SerializeSeq as _, SerializeTuple as _},
};

use super::{DEPTH_LIMIT, invalid, number};
use crate::{
    error::Result,
    id::Millis,
    message::{Annotations, Message, Props, Text, Value},
};

pub(super) fn line(seq: Option<&str>, message: &Message, out: &mut Vec<u8>) -> Result<()> {
    let before = out.len();
    serde_json::to_writer(&mut *out, &Envelope { seq, message }).map_err(|error| {
        out.truncate(before);
        invalid(error.to_string())
    })?;
    out.push(b'\n');
    Ok(())
}

struct Envelope<'a> {
    seq: Option<&'a str>,
    message: &'a Message,
}

impl Serialize for Envelope<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Message {
            key,
            payload,
            headers,
            props,
            annotations,
        } = self.message;
        let mut map = serializer.serialize_map(None)?;
        if let Some(seq) = self.seq {
            map.serialize_entry("seq", seq)?;
        }
        if let Some(key) = key {
            map.serialize_entry("key", &Octets(key))?;
        }
        if let Some(payload) = payload {
            map.serialize_entry("payload", &Octets(payload))?;
        }
        if !headers.is_empty() {
            map.serialize_entry("headers", &Pairs(headers.iter(), 0))?;
        }
        if *props != Props::default() {
            map.serialize_entry("props", &PropsOut(props))?;
        }
        if *annotations != Annotations::default() {
            map.serialize_entry("meta", &Meta(annotations))?;
        }
        map.end()
    }
}

/// `B`.
struct Octets<'a>(&'a [u8]);

impl Serialize for Octets<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => tagged(serializer, "b64", &STANDARD.encode(self.0)),
        }
    }
}

/// `V`, this many levels down.
struct Typed<'a>(&'a Value, usize);

impl Serialize for Typed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(value, depth) = *self;
        if depth > DEPTH_LIMIT {
            return Err(S::Error::custom(format_args!(
                "a value nests more than {DEPTH_LIMIT} levels"
            )));
        }
        let tag = |tag, text: &str| (tag, text.to_owned());
        let (tag, text) = match value {
            Value::Null => return serializer.serialize_unit(),
            Value::Bool(truth) => return serializer.serialize_bool(*truth),
            Value::Text(text) => match text.as_str() {
                Some(text) => return serializer.serialize_str(text),
                None => ("text", STANDARD.encode(text.as_bytes())),
            },
            Value::List(items) => return tagged(serializer, "list", &Items(items, depth + 1)),
            Value::Table(fields) => {
                return tagged(serializer, "table", &Pairs(fields.iter(), depth + 1));
            }
            Value::Bytes(bytes) => ("b64", STANDARD.encode(bytes)),
            Value::I8(n) => tag("i8", &n.to_string()),
            Value::U8(n) => tag("u8", &n.to_string()),
            Value::I16(n) => tag("i16", &n.to_string()),
            Value::U16(n) => tag("u16", &n.to_string()),
            Value::I32(n) => tag("i32", &n.to_string()),
            Value::U32(n) => tag("u32", &n.to_string()),
            Value::I64(n) => tag("i64", &n.to_string()),
            Value::F32(n) => ("f32", number::write_f32(*n)),
            Value::F64(n) => ("f64", number::write_f64(*n)),
            Value::Decimal(decimal) => ("decimal", number::write_decimal(*decimal)),
            Value::Timestamp(at) => ("ts", number::write_time(*at)),
        };
        tagged(serializer, tag, &text)
    }
}

/// `[V…]`.
struct Items<'a>(&'a [Value], usize);

impl Serialize for Items<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.0.len()))?;
        for item in self.0 {
            seq.serialize_element(&Typed(item, self.1))?;
        }
        seq.end()
    }
}

/// `[[B,V]…]`.
struct Pairs<'a>(std::slice::Iter<'a, (Text, Value)>, usize);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.0.len()))?;
        for (name, value) in self.0.clone() {
            seq.serialize_element(&Pair(name, value, self.1))?;
        }
        seq.end()
    }
}

struct Pair<'a>(&'a Text, &'a Value, usize);

impl Serialize for Pair<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut pair = serializer.serialize_tuple(2)?;
        pair.serialize_element(&Octets(self.0.as_bytes()))?;
        pair.serialize_element(&Typed(self.1, self.2))?;
        pair.end()
    }
}

struct PropsOut<'a>(&'a Props);

impl Serialize for PropsOut<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let props = self.0;
        let mut map = serializer.serialize_map(None)?;
        let texts = [
            ("id", &props.id),
            ("correlation_id", &props.correlation_id),
            ("reply_to", &props.reply_to),
            ("content_type", &props.content_type),
            ("content_encoding", &props.content_encoding),
            ("user_id", &props.user_id),
            ("app_id", &props.app_id),
            ("type", &props.kind),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                map.serialize_entry(name, &Octets(text.as_bytes()))?;
            }
        }
        if let Some(priority) = props.priority {
            map.serialize_entry("priority", &Tagged("u8", priority.to_string()))?;
        }
        if let Some(ttl) = props.ttl {
            map.serialize_entry("ttl", &Tagged("u64", ttl.to_string()))?;
        }
        if let Some(at) = props.deliver_at {
            map.serialize_entry("deliver_at", &time(at))?;
        }
        if let Some(at) = props.timestamp {
            map.serialize_entry("timestamp", &time(at))?;
        }
        if let Some(durable) = props.durable {
            map.serialize_entry("durable", &durable)?;
        }
        map.end()
    }
}

struct Meta<'a>(&'a Annotations);

impl Serialize for Meta<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let meta = self.0;
        let mut map = serializer.serialize_map(None)?;
        let texts = [
            ("topic", &meta.topic),
            ("exchange", &meta.exchange),
            ("routing_key", &meta.routing_key),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                map.serialize_entry(name, &Octets(text.as_bytes()))?;
            }
        }
        if let Some(partition) = meta.partition {
            map.serialize_entry("partition", &Tagged("u32", partition.to_string()))?;
        }
        if let Some(offset) = meta.offset {
            map.serialize_entry("offset", &Tagged("u64", offset.to_string()))?;
        }
        if let Some(attempts) = meta.attempts {
            map.serialize_entry("attempts", &Tagged("u32", attempts.to_string()))?;
        }
        if let Some(at) = meta.appended {
            map.serialize_entry("appended", &time(at))?;
        }
        map.end()
    }
}

struct Tagged(&'static str, String);

impl Serialize for Tagged {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        tagged(serializer, self.0, &self.1)
    }
}

fn time(at: Millis) -> Tagged {
    Tagged("ts", number::write_time(at))
}

fn tagged<S: Serializer, T: Serialize + ?Sized>(
    serializer: S,
    tag: &'static str,
    content: &T,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(tag, content)?;
    map.end()
}
