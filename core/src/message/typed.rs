//! Typed header values over protocols whose headers are octets, such as Kafka's.
//!
//! Text in UTF-8, octets that are not UTF-8, and null are carried as they are. Every other value
//! becomes text, and one more header at the end, [`TYPES_HEADER`], lists `name:type` for each of
//! them ([`Types`] has its form):
//!
//! | type | value | text |
//! |---|---|---|
//! | `bool` | truth | `true`, `false` |
//! | `i8` `u8` `i16` `u16` `i32` `u32` `i64` | integers | decimal digits |
//! | `f32` `f64` | floating point | shortest digits that read back the same; `NaN`, `inf`, `-inf` |
//! | `decimal` | AMQP decimal | `value/scale`, as in `12345/2` for 123.45 |
//! | `ts` | point in time | milliseconds since 1970 |
//! | `text` | text that is not UTF-8 | its octets |
//! | `bytes` | octets that happen to be UTF-8 | themselves |
//! | `list` `table` | nested values | one line of JSON: `{"list":["a",{"i32":"5"}]}`, `{"table":[["name","a"],["n",null]]}` |
//!
//! Inside `list` and `table`, text is a JSON string, null and truth are JSON's own, and all else is
//! an object of its type and its text (`b64` with base64 where the octets are not UTF-8).
//!
//! [`from_octets`] restores exactly what [`to_octets`] was given. Where a listed header does not
//! read as its type it stays text: nothing is refused for it.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use serde_json::Value as Json;

use super::{Decimal, Header, Headers, TYPES_HEADER, Text, Types, Value};
use crate::id::Millis;

/// Headers as octets, in order; `None` is null. Ends with [`TYPES_HEADER`] where one is needed.
pub fn to_octets(headers: &Headers) -> Vec<(Text, Option<Bytes>)> {
    let (mut out, kinds): (Vec<_>, Vec<_>) = headers
        .iter()
        .map(|(name, value)| {
            let (octets, kind) = plain(value);
            ((name.clone(), octets), kind)
        })
        .unzip();
    let named = out.iter().map(|(name, _)| name).zip(kinds.iter().copied());
    if let Some(types) = Types::list(named) {
        out.push((TYPES_HEADER.into(), Some(types.as_bytes().clone())));
    }
    out
}

/// Typed headers from octets: the inverse of [`to_octets`], in whatever order those of different
/// names come back.
pub fn from_octets(headers: Vec<(Text, Option<Bytes>)>) -> Headers {
    let mut typed: Vec<Header> = headers
        .into_iter()
        .map(|(name, octets)| (name, octets.map_or(Value::Null, Value::from_octets)))
        .collect();
    let list = typed.iter().rposition(|(name, _)| *name == TYPES_HEADER);
    if let Some(at) = list
        && let Value::Text(list) = &typed[at].1
    {
        let types = Types::read(list);
        typed.remove(at);
        types.restore(&mut typed, |kind, value| parse(kind, &octets_of(value)?));
    }
    typed.into_iter().collect()
}

/// A value as octets, and the name of its type where the octets alone do not say it.
fn plain(value: &Value) -> (Option<Bytes>, Option<&'static str>) {
    let (kind, text) = match value {
        Value::Null => return (None, None),
        Value::Text(text) => {
            let kind = text.as_str().is_none().then_some("text");
            return (Some(text.as_bytes().clone()), kind);
        }
        Value::Bytes(bytes) => {
            let kind = std::str::from_utf8(bytes).is_ok().then_some("bytes");
            return (Some(bytes.clone()), kind);
        }
        Value::List(_) => ("list", json_of(value).to_string()),
        Value::Table(_) => ("table", json_of(value).to_string()),
        scalar => scalar_text(scalar),
    };
    (Some(text.into()), Some(kind))
}

fn scalar_text(value: &Value) -> (&'static str, String) {
    match value {
        Value::Bool(truth) => ("bool", truth.to_string()),
        Value::I8(n) => ("i8", n.to_string()),
        Value::U8(n) => ("u8", n.to_string()),
        Value::I16(n) => ("i16", n.to_string()),
        Value::U16(n) => ("u16", n.to_string()),
        Value::I32(n) => ("i32", n.to_string()),
        Value::U32(n) => ("u32", n.to_string()),
        Value::I64(n) => ("i64", n.to_string()),
        Value::F32(n) => ("f32", n.to_string()),
        Value::F64(n) => ("f64", n.to_string()),
        Value::Decimal(Decimal { scale, value }) => ("decimal", format!("{value}/{scale}")),
        Value::Timestamp(at) => ("ts", at.0.to_string()),
        Value::Text(text) => ("text", text.lossy().into_owned()),
        Value::Null | Value::Bytes(_) | Value::List(_) | Value::Table(_) => ("text", String::new()),
    }
}

fn octets_of(value: &Value) -> Option<Bytes> {
    match value {
        Value::Text(text) => Some(text.as_bytes().clone()),
        Value::Bytes(bytes) => Some(bytes.clone()),
        _ => None,
    }
}

fn parse(kind: &str, octets: &Bytes) -> Option<Value> {
    match kind {
        "text" => return Some(Value::Text(Text::from(octets.clone()))),
        "bytes" => return Some(Value::Bytes(octets.clone())),
        _ => {}
    }
    let text = std::str::from_utf8(octets).ok()?;
    Some(match kind {
        "bool" => Value::Bool(text.parse().ok()?),
        "i8" => Value::I8(text.parse().ok()?),
        "u8" => Value::U8(text.parse().ok()?),
        "i16" => Value::I16(text.parse().ok()?),
        "u16" => Value::U16(text.parse().ok()?),
        "i32" => Value::I32(text.parse().ok()?),
        "u32" => Value::U32(text.parse().ok()?),
        "i64" => Value::I64(text.parse().ok()?),
        "f32" => Value::F32(text.parse().ok()?),
        "f64" => Value::F64(text.parse().ok()?),
        "ts" => Value::Timestamp(Millis(text.parse().ok()?)),
        "decimal" => {
            let (value, scale) = text.split_once('/')?;
            Value::Decimal(Decimal {
                scale: scale.parse().ok()?,
                value: value.parse().ok()?,
            })
        }
        "list" => list(&serde_json::from_str(text).ok()?)?,
        "table" => table(&serde_json::from_str(text).ok()?)?,
        _ => return None,
    })
}

fn json_of(value: &Value) -> Json {
    let typed =
        |kind: &str, inner: Json| Json::Object([(kind.to_owned(), inner)].into_iter().collect());
    let octets = |kind: &str, bytes: &Bytes| match std::str::from_utf8(bytes) {
        Ok(text) => typed(kind, Json::from(text)),
        Err(_) => typed(kind, typed("b64", Json::from(BASE64.encode(bytes)))),
    };
    match value {
        Value::Null => Json::Null,
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Text(text) => match text.as_str() {
            Some(text) => Json::from(text),
            None => octets("text", text.as_bytes()),
        },
        Value::Bytes(bytes) => octets("bytes", bytes),
        Value::List(items) => typed("list", items.iter().map(json_of).collect()),
        Value::Table(fields) => {
            let pair = |(name, value): &(Text, Value)| {
                Json::Array(vec![json_of(&Value::Text(name.clone())), json_of(value)])
            };
            typed("table", fields.iter().map(pair).collect())
        }
        scalar => {
            let (kind, text) = scalar_text(scalar);
            typed(kind, Json::from(text))
        }
    }
}

fn value_of(json: &Json) -> Option<Value> {
    let object = match json {
        Json::Null => return Some(Value::Null),
        Json::Bool(truth) => return Some(Value::Bool(*truth)),
        Json::String(text) => return Some(Value::from(text.as_str())),
        Json::Object(object) => object,
        Json::Array(_) | Json::Number(_) => return None,
    };
    let (kind, inner) = object.iter().next()?;
    match (kind.as_str(), inner) {
        ("list", _) => list(json),
        ("table", _) => table(json),
        (kind, Json::String(text)) => parse(kind, &Bytes::copy_from_slice(text.as_bytes())),
        (kind, inner) => {
            let encoded = inner.get("b64")?.as_str()?;
            parse(kind, &BASE64.decode(encoded).ok()?.into())
        }
    }
}

fn list(json: &Json) -> Option<Value> {
    let items = json.get("list")?.as_array()?;
    items
        .iter()
        .map(value_of)
        .collect::<Option<_>>()
        .map(Value::List)
}

fn table(json: &Json) -> Option<Value> {
    let field = |pair: &Json| match (value_of(pair.get(0)?)?, value_of(pair.get(1)?)?) {
        (Value::Text(name), value) => Some((name, value)),
        _ => None,
    };
    let fields = json.get("table")?.as_array()?;
    fields
        .iter()
        .map(field)
        .collect::<Option<_>>()
        .map(Value::Table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets(text: &'static [u8]) -> Bytes {
        Bytes::from_static(text)
    }

    #[test]
    fn every_type_is_restored_exactly() {
        let headers: Headers = [
            Value::Null,
            Value::Bool(true),
            Value::I8(-1),
            Value::U8(255),
            Value::I16(-300),
            Value::U16(60000),
            Value::I32(-70000),
            Value::U32(4_000_000_000),
            Value::I64(i64::MIN),
            Value::F32(0.1),
            Value::F64(1e300),
            Value::F64(f64::INFINITY),
            Value::Decimal(Decimal {
                scale: 2,
                value: -12345,
            }),
            Value::Timestamp(Millis(1_357_016_400_123)),
            Value::from("plain"),
            Value::from(""),
            Value::Text(Text::from(octets(b"\xff"))),
            Value::Bytes(octets(b"\xfe")),
            Value::Bytes(octets(b"utf8")),
            Value::List(vec![
                Value::I32(5),
                Value::Null,
                Value::Bytes(octets(b"\xfe")),
            ]),
            Value::Table(vec![
                (
                    "a".into(),
                    Value::List(vec![Value::from("x"), Value::Bool(false)]),
                ),
                (
                    "a".into(),
                    Value::Table(vec![(Text::from(octets(b"\xff")), Value::U8(1))]),
                ),
            ]),
        ]
        .into_iter()
        .map(|value| (Text::from("same"), value))
        .collect();
        assert_eq!(from_octets(to_octets(&headers)), headers);
    }

    #[test]
    fn headers_that_a_client_sorted_are_restored() {
        let given = [
            ("z", Value::I32(7)),
            ("d", Value::Bool(true)),
            ("a", Value::from("7")),
            ("d", Value::from("true")),
            ("y", Value::Bytes(octets(b"text"))),
            ("d", Value::I8(1)),
        ]
        .map(|(name, value)| (Text::from(name), value));
        let mut plain = to_octets(&given.iter().cloned().collect());
        plain.sort_by(|a, b| a.0.cmp(&b.0));
        let mut sorted = given;
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(from_octets(plain), sorted.into_iter().collect());
    }

    #[test]
    fn text_octets_and_null_need_no_types() {
        let mut headers = Headers::default();
        headers.push("a", "text");
        headers.push("b", Value::Bytes(octets(b"\xff")));
        headers.push("c", Value::Null);
        let plain = to_octets(&headers);
        assert_eq!(plain.len(), 3);
        assert_eq!(from_octets(plain), headers);
    }

    #[test]
    fn types_that_do_not_fit_leave_text() {
        let given = vec![
            ("a".into(), Some(octets(b"x"))),
            (TYPES_HEADER.into(), Some(octets(b"a:i64,b:bool,nonsense"))),
        ];
        let headers = from_octets(given);
        assert_eq!(headers.get("a"), Some(&Value::from("x")));
        assert_eq!(headers.len(), 1);
    }
}
