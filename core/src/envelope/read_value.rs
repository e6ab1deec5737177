//! JSON to values, without a tree between.

use std::{borrow::Cow, fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};

use super::{DEPTH_LIMIT, number};
use crate::message::{Text, Value};

/// Reads `B`.
pub(super) struct OctetsSeed;

impl<'de> DeserializeSeed<'de> for OctetsSeed {
    type Value = Option<Bytes>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        match ValueSeed(0).deserialize(from)? {
            Read::Value(Value::Null) => Ok(None),
            Read::Value(Value::Text(text)) => Ok(Some(text.as_bytes().clone())),
            Read::Value(Value::Bytes(bytes)) => Ok(Some(bytes)),
            _ => Err(D::Error::custom("octets are a string or {\"b64\":\"…\"}")),
        }
    }
}

/// What was read: a value, or the one type that only properties have.
pub(super) enum Read {
    Value(Value),
    U64(u64),
}

/// Reads `V`, this many levels down.
pub(super) struct ValueSeed(pub(super) usize);

impl<'de> DeserializeSeed<'de> for ValueSeed {
    type Value = Read;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Read, D::Error> {
        if self.0 > DEPTH_LIMIT {
            let problem = format_args!("a value nests more than {DEPTH_LIMIT} levels");
            return Err(D::Error::custom(problem));
        }
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed {
    type Value = Read;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, null, true, false, or typed text such as {\"i64\":\"5\"}")
    }

    fn visit_unit<E: Error>(self) -> Result<Read, E> {
        Ok(Read::Value(Value::Null))
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Read, E> {
        Ok(Read::Value(Value::Bool(truth)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Read, E> {
        Ok(Read::Value(Value::Text(text.into())))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Read, E> {
        Ok(Read::Value(Value::Text(text.into())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Read, A::Error> {
        let Some(tag) = map.next_key::<Cow<'de, str>>()? else {
            return Err(A::Error::custom("an empty object is no value"));
        };
        let value = match tag.as_ref() {
            "list" => Value::List(map.next_value_seed(ListSeed(self.0 + 1))?),
            "table" => Value::Table(map.next_value_seed(PairsSeed(self.0 + 1))?),
            "u64" => {
                let text: Borrowed<'de> = map.next_value()?;
                end(&mut map)?;
                return Ok(Read::U64(parse("u64", &text.0)?));
            }
            tag => {
                let text: Borrowed<'de> = map.next_value()?;
                typed(tag, &text.0)?
            }
        };
        end(&mut map)?;
        Ok(Read::Value(value))
    }
}

fn end<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    match map.next_key::<Cow<'de, str>>()? {
        None => Ok(()),
        Some(key) => Err(A::Error::custom(format_args!(
            "`{key}` does not belong there: a typed value has one key"
        ))),
    }
}

/// Text that is borrowed from the line where nothing in it is escaped.
#[derive(Deserialize)]
struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

const TYPES: &str = "b64, text, i8, u8, i16, u16, i32, u32, i64, u64, f32, f64, decimal, ts, \
                     list, table";

fn typed<E: Error>(tag: &str, text: &str) -> Result<Value, E> {
    let octets = || {
        let octets = STANDARD.decode(text);
        octets.map_err(|error| E::custom(format_args!("`{tag}` is not base64: {error}")))
    };
    let refused = || E::custom(format_args!("`{text}` is no {tag}"));
    Ok(match tag {
        "b64" => Value::Bytes(octets()?.into()),
        "text" => Value::Text(Text::from_bytes(octets()?)),
        "i8" => Value::I8(parse(tag, text)?),
        "u8" => Value::U8(parse(tag, text)?),
        "i16" => Value::I16(parse(tag, text)?),
        "u16" => Value::U16(parse(tag, text)?),
        "i32" => Value::I32(parse(tag, text)?),
        "u32" => Value::U32(parse(tag, text)?),
        "i64" => Value::I64(parse(tag, text)?),
        "f32" => Value::F32(number::read_f32(text).ok_or_else(refused)?),
        "f64" => Value::F64(number::read_f64(text).ok_or_else(refused)?),
        "decimal" => Value::Decimal(number::read_decimal(text).ok_or_else(refused)?),
        "ts" => Value::Timestamp(number::read_time(text).ok_or_else(|| {
            E::custom(format_args!(
                "`{text}` is no ts: write 2013-01-01T05:00:00.000Z, no finer than milliseconds"
            ))
        })?),
        _ => {
            let problem = format_args!("unknown type `{tag}`; known: {TYPES}");
            return Err(E::custom(problem));
        }
    })
}

fn parse<T: FromStr, E: Error>(tag: &str, text: &str) -> Result<T, E> {
    let parsed = text.parse();
    parsed.map_err(|_| E::custom(format_args!("`{text}` is no {tag}")))
}

/// A value where `u64` is not allowed.
struct OneSeed(usize);

impl<'de> DeserializeSeed<'de> for OneSeed {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        match ValueSeed(self.0).deserialize(from)? {
            Read::Value(value) => Ok(value),
            Read::U64(_) => Err(D::Error::custom("u64 is for properties only; use i64")),
        }
    }
}

struct ListSeed(usize);

impl<'de> DeserializeSeed<'de> for ListSeed {
    type Value = Vec<Value>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ListSeed {
    type Value = Vec<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(OneSeed(self.0))? {
            items.push(item);
        }
        Ok(items)
    }
}

/// Reads `[[B,V]…]`, whose values are this many levels down.
pub(super) struct PairsSeed(pub(super) usize);

impl<'de> DeserializeSeed<'de> for PairsSeed {
    type Value = Vec<(Text, Value)>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for PairsSeed {
    type Value = Vec<(Text, Value)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of [name, value] pairs")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = seq.next_element_seed(PairSeed(self.0))? {
            pairs.push(pair);
        }
        Ok(pairs)
    }
}

struct PairSeed(usize);

impl<'de> DeserializeSeed<'de> for PairSeed {
    type Value = (Text, Value);

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for PairSeed {
    type Value = (Text, Value);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a pair [name, value]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let name = seq.next_element_seed(OctetsSeed)?.flatten();
        let name = name.ok_or_else(|| A::Error::custom("a pair [name, value] has no name"))?;
        let value = seq.next_element_seed(OneSeed(self.0))?;
        let value = value.ok_or_else(|| A::Error::custom("a pair [name, value] has no value"))?;
        if seq.next_element::<serde::de::IgnoredAny>()?.is_some() {
            return Err(A::Error::custom("a pair [name, value] has a third element"));
        }
        Ok((Text::from(name), value))
    }
}
