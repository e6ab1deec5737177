//! A value as a tag octet and its content.

use bytes::{Buf, BufMut, BytesMut};

use crate::{
    error::Result,
    id::Millis,
    message::{Decimal, Parts, Text, Value},
    wire::{Reader, Writer},
};

/// Levels that a value may nest.
const DEPTH_LIMIT: usize = 64;

/// Appends `value` to `out`.
pub fn put_value(out: &mut BytesMut, value: &Value) {
    match value {
        Value::Null => out.put_u8(b'V'),
        Value::Bool(truth) => out.put_slice(&[b't', u8::from(*truth)]),
        Value::I8(n) => out.put_slice(&[b'b', n.cast_unsigned()]),
        Value::U8(n) => out.put_slice(&[b'B', *n]),
        Value::I16(n) => put_number(out, b's', &n.to_be_bytes()),
        Value::U16(n) => put_number(out, b'u', &n.to_be_bytes()),
        Value::I32(n) => put_number(out, b'I', &n.to_be_bytes()),
        Value::U32(n) => put_number(out, b'i', &n.to_be_bytes()),
        Value::I64(n) => put_number(out, b'l', &n.to_be_bytes()),
        Value::F32(n) => put_number(out, b'f', &n.to_be_bytes()),
        Value::F64(n) => put_number(out, b'd', &n.to_be_bytes()),
        Value::Timestamp(at) => put_number(out, b'T', &at.0.to_be_bytes()),
        Value::Decimal(Decimal { scale, value }) => {
            out.put_slice(&[b'D', *scale]);
            out.put_i32(*value);
        }
        Value::Text(text) => put_octets(out, b'S', text.as_bytes()),
        Value::Bytes(bytes) => put_octets(out, b'x', bytes),
        Value::List(items) => {
            out.put_u8(b'A');
            out.put_varint(items.len() as u64);
            items.iter().for_each(|item| put_value(out, item));
        }
        Value::Table(fields) => {
            out.put_u8(b'F');
            out.put_varint(fields.len() as u64);
            for (name, value) in fields {
                out.put_bytes_with_length(name.as_bytes());
                put_value(out, value);
            }
        }
    }
}

/// Reads a value that [`put_value`] wrote.
///
/// # Errors
/// `Invalid` for an unknown tag, a cut value, or more than 64 levels; `TooLarge` where there are
/// more values than `parts` has left.
pub fn take_value(reader: &mut Reader, parts: &mut Parts) -> Result<Value> {
    take_nested(reader, parts, 0)
}

fn put_number(out: &mut BytesMut, tag: u8, octets: &[u8]) {
    out.put_u8(tag);
    out.put_slice(octets);
}

fn put_octets(out: &mut BytesMut, tag: u8, octets: &[u8]) {
    out.put_u8(tag);
    out.put_bytes_with_length(octets);
}

fn take_nested(reader: &mut Reader, parts: &mut Parts, depth: usize) -> Result<Value> {
    if depth > DEPTH_LIMIT {
        return Err(reader.invalid(format!("more than {DEPTH_LIMIT} levels of nesting")));
    }
    parts.take(reader.operation())?;
    Ok(match reader.u8()? {
        b'V' => Value::Null,
        b't' => Value::Bool(reader.u8()? != 0),
        b'b' => Value::I8(reader.u8()?.cast_signed()),
        b'B' => Value::U8(reader.u8()?),
        b's' => Value::I16(reader.take(2)?.get_i16()),
        b'u' => Value::U16(reader.u16()?),
        b'I' => Value::I32(reader.take(4)?.get_i32()),
        b'i' => Value::U32(reader.u32()?),
        b'l' => Value::I64(reader.i64()?),
        b'f' => Value::F32(reader.take(4)?.get_f32()),
        b'd' => Value::F64(reader.take(8)?.get_f64()),
        b'T' => Value::Timestamp(Millis(reader.i64()?)),
        b'D' => Value::Decimal(Decimal {
            scale: reader.u8()?,
            value: reader.take(4)?.get_i32(),
        }),
        b'S' => Value::Text(Text::from(reader.bytes()?)),
        b'x' => Value::Bytes(reader.bytes()?),
        b'A' => {
            let count = reader.count()?;
            let items = (0..count).map(|_| take_nested(reader, parts, depth + 1));
            Value::List(items.collect::<Result<_>>()?)
        }
        b'F' => {
            let count = reader.count()?;
            let fields = (0..count).map(|_| {
                let name = Text::from(reader.bytes()?);
                parts.take(reader.operation())?;
                Ok((name, take_nested(reader, parts, depth + 1)?))
            });
            Value::Table(fields.collect::<Result<_>>()?)
        }
        tag => return Err(reader.invalid(format!("unknown value tag {tag:#04x}"))),
    })
}
