//! Typed values and headers.

use standpipe_core::{
    Result,
    id::Millis,
    message::{Decimal, Headers, Text, Value},
};

use super::invalid;
use crate::proto::{self, value::Kind};

/// Levels that a value may nest, as in the stored encoding.
const DEPTH_LIMIT: usize = 64;

pub(super) fn headers_to_proto(headers: Headers) -> Vec<proto::Header> {
    headers.into_iter().map(header_to_proto).collect()
}

pub(super) fn headers_from_proto(headers: Vec<proto::Header>) -> Result<Headers> {
    headers
        .into_iter()
        .map(|header| header_from_proto(header, 0))
        .collect()
}

fn header_to_proto((name, value): (Text, Value)) -> proto::Header {
    proto::Header {
        name: name.as_bytes().clone(),
        value: Some(value_to_proto(value)),
    }
}

fn header_from_proto(header: proto::Header, depth: usize) -> Result<(Text, Value)> {
    let value = match header.value {
        Some(value) => value_from_proto(value, depth)?,
        None => Value::Null,
    };
    Ok((Text::from(header.name), value))
}

fn value_to_proto(value: Value) -> proto::Value {
    let kind = match value {
        Value::Bool(truth) => Kind::Boolean(truth),
        Value::I8(n) => Kind::I8(n.into()),
        Value::U8(n) => Kind::U8(n.into()),
        Value::I16(n) => Kind::I16(n.into()),
        Value::U16(n) => Kind::U16(n.into()),
        Value::I32(n) => Kind::I32(n),
        Value::U32(n) => Kind::U32(n),
        Value::I64(n) => Kind::I64(n),
        Value::F32(n) => Kind::F32(n),
        Value::F64(n) => Kind::F64(n),
        Value::Decimal(Decimal { scale, value }) => Kind::Decimal(proto::Decimal {
            scale: scale.into(),
            value,
        }),
        Value::Timestamp(at) => Kind::TimestampMs(at.0),
        Value::Text(text) => match text.as_str() {
            Some(utf8) => Kind::Text(utf8.to_owned()),
            None => Kind::RawText(text.as_bytes().clone()),
        },
        Value::Bytes(bytes) => Kind::Bytes(bytes),
        Value::List(items) => Kind::List(proto::ValueList {
            items: items.into_iter().map(value_to_proto).collect(),
        }),
        Value::Table(fields) => Kind::Table(proto::ValueTable {
            fields: fields.into_iter().map(header_to_proto).collect(),
        }),
        // `Null`, and what a later core adds, until the .proto has a place for it.
        _ => Kind::Null(true),
    };
    proto::Value { kind: Some(kind) }
}

fn value_from_proto(value: proto::Value, depth: usize) -> Result<Value> {
    if depth > DEPTH_LIMIT {
        return Err(invalid(format!(
            "values nest deeper than {DEPTH_LIMIT} levels"
        )));
    }
    Ok(match value.kind {
        None | Some(Kind::Null(_)) => Value::Null,
        Some(Kind::Boolean(truth)) => Value::Bool(truth),
        Some(Kind::I8(n)) => Value::I8(narrow(n, "i8")?),
        Some(Kind::U8(n)) => Value::U8(narrow(n, "u8")?),
        Some(Kind::I16(n)) => Value::I16(narrow(n, "i16")?),
        Some(Kind::U16(n)) => Value::U16(narrow(n, "u16")?),
        Some(Kind::I32(n)) => Value::I32(n),
        Some(Kind::U32(n)) => Value::U32(n),
        Some(Kind::I64(n)) => Value::I64(n),
        Some(Kind::F32(n)) => Value::F32(n),
        Some(Kind::F64(n)) => Value::F64(n),
        Some(Kind::Decimal(proto::Decimal { scale, value })) => Value::Decimal(Decimal {
            scale: narrow(scale, "decimal.scale")?,
            value,
        }),
        Some(Kind::TimestampMs(at)) => Value::Timestamp(Millis(at)),
        Some(Kind::Text(text)) => Value::Text(Text::from(text)),
        Some(Kind::RawText(octets)) => Value::Text(Text::from(octets)),
        Some(Kind::Bytes(bytes)) => Value::Bytes(bytes),
        Some(Kind::List(list)) => {
            let items = list.items.into_iter();
            let items = items.map(|item| value_from_proto(item, depth + 1));
            Value::List(items.collect::<Result<_>>()?)
        }
        Some(Kind::Table(table)) => {
            let fields = table.fields.into_iter();
            let fields = fields.map(|field| header_from_proto(field, depth + 1));
            Value::Table(fields.collect::<Result<_>>()?)
        }
    })
}

fn narrow<W: Copy + std::fmt::Display, N: TryFrom<W>>(wide: W, field: &str) -> Result<N> {
    N::try_from(wide).map_err(|_| invalid(format!("{wide} does not fit the field `{field}`")))
}
