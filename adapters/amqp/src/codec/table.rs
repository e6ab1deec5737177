//! Field tables (specification 4.2.5.5) with the field types that RabbitMQ reads and writes.

use bytes::{BufMut, Bytes, BytesMut};
use standpipe_core::{
    Error, ErrorKind, Result,
    id::Millis,
    message::{Decimal, Text, Value},
};

use super::octets::{Octets, malformed, put_long_string, put_short_string};

/// Named values in order, duplicates kept.
pub(crate) type Table = Vec<(Text, Value)>;

/// Levels that tables and arrays may nest.
pub(crate) const DEPTH_LIMIT: usize = 64;

/// Reads a table behind its length.
///
/// # Errors
/// `Invalid` for an unknown field type, a cut field, or more than 64 levels.
pub(crate) fn take_table(octets: &mut Octets) -> Result<Table> {
    take_table_at(octets, 0)
}

/// Checks a table's octets without building it.
///
/// # Errors
/// As [`take_table`].
pub(crate) fn check_table(table: Bytes) -> Result<()> {
    check_fields(Octets::new(table), true, 1)
}

/// Reads a table whose length is already known: the octets are all of it.
///
/// # Errors
/// As [`take_table`].
pub(crate) fn table_inside(table: Bytes) -> Result<Table> {
    take_fields(Octets::new(table), 0)
}

fn take_table_at(octets: &mut Octets, depth: usize) -> Result<Table> {
    take_fields(Octets::new(octets.long_string()?), depth)
}

fn take_fields(mut fields: Octets, depth: usize) -> Result<Table> {
    let mut table = Table::new();
    while !fields.is_empty() {
        let name = fields.short_string()?;
        table.push((name, take_value(&mut fields, depth)?));
    }
    Ok(table)
}

fn nested(depth: usize) -> Result<usize> {
    if depth >= DEPTH_LIMIT {
        return Err(malformed(format!(
            "more than {DEPTH_LIMIT} levels of nesting"
        )));
    }
    Ok(depth + 1)
}

fn take_value(octets: &mut Octets, depth: usize) -> Result<Value> {
    Ok(match octets.u8()? {
        b't' => Value::Bool(octets.u8()? != 0),
        b'b' => Value::I8(octets.u8()?.cast_signed()),
        b'B' => Value::U8(octets.u8()?),
        b's' => Value::I16(octets.u16()?.cast_signed()),
        b'u' => Value::U16(octets.u16()?),
        b'I' => Value::I32(octets.u32()?.cast_signed()),
        b'i' => Value::U32(octets.u32()?),
        b'l' | b'L' => Value::I64(octets.u64()?.cast_signed()),
        b'f' => Value::F32(f32::from_bits(octets.u32()?)),
        b'd' => Value::F64(f64::from_bits(octets.u64()?)),
        b'D' => Value::Decimal(Decimal {
            scale: octets.u8()?,
            value: octets.u32()?.cast_signed(),
        }),
        b'S' => Value::Text(Text::from(octets.long_string()?)),
        b'x' => Value::Bytes(octets.long_string()?),
        b'T' => timestamp(octets.u64()?.cast_signed()),
        b'V' => Value::Null,
        b'F' => Value::Table(take_table_at(octets, nested(depth)?)?),
        b'A' => {
            let depth = nested(depth)?;
            let mut items = Octets::new(octets.long_string()?);
            let mut list = Vec::new();
            while !items.is_empty() {
                list.push(take_value(&mut items, depth)?);
            }
            Value::List(list)
        }
        tag => return Err(unknown(tag)),
    })
}

fn check_fields(mut fields: Octets, named: bool, depth: usize) -> Result<()> {
    while !fields.is_empty() {
        if named {
            fields.short_string()?;
        }
        let fixed = match fields.u8()? {
            b't' | b'b' | b'B' => 1,
            b's' | b'u' => 2,
            b'I' | b'i' | b'f' => 4,
            b'D' => 5,
            b'l' | b'L' | b'd' | b'T' => 8,
            b'V' => 0,
            b'S' | b'x' => fields.u32()? as usize,
            tag @ (b'F' | b'A') => {
                let inner = Octets::new(fields.long_string()?);
                check_fields(inner, tag == b'F', nested(depth - 1)? + 1)?;
                0
            }
            tag => return Err(unknown(tag)),
        };
        fields.take(fixed)?;
    }
    Ok(())
}

fn unknown(tag: u8) -> Error {
    malformed(format!("unknown field type {tag:#04x}"))
}

/// Seconds are signed, as clients in Java, Go and C# write them. What is beyond our milliseconds, as
/// nanoseconds are that were taken for seconds, stays a number.
fn timestamp(seconds: i64) -> Value {
    match seconds.checked_mul(1000) {
        Some(millis) => Value::Timestamp(Millis(millis)),
        None => Value::I64(seconds),
    }
}

/// Appends a table behind its length.
///
/// # Errors
/// `Unsupported` for a name above 255 octets, more than 64 levels, or a value of a later kind.
pub(crate) fn put_table(out: &mut BytesMut, table: &[(Text, Value)]) -> Result<()> {
    put_table_at(out, table, 0)
}

fn put_table_at(out: &mut BytesMut, table: &[(Text, Value)], depth: usize) -> Result<()> {
    behind_length(out, |out| {
        table.iter().try_for_each(|(name, value)| {
            if name.len() > 255 {
                let octets = name.len();
                return Err(unconvertible(format!(
                    "a header name has {octets} octets; AMQP carries at most 255"
                )));
            }
            put_short_string(out, name.as_bytes());
            put_value(out, value, depth)
        })
    })
}

fn put_value(out: &mut BytesMut, value: &Value, depth: usize) -> Result<()> {
    let deeper = || nested(depth).map_err(|e| unconvertible(e.message()));
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
        Value::F32(n) => put_number(out, b'f', &n.to_bits().to_be_bytes()),
        Value::F64(n) => put_number(out, b'd', &n.to_bits().to_be_bytes()),
        Value::Decimal(Decimal { scale, value }) => {
            out.put_slice(&[b'D', *scale]);
            out.put_i32(*value);
        }
        Value::Timestamp(at) if at.0 % 1000 == 0 => {
            put_number(out, b'T', &(at.0 / 1000).to_be_bytes());
        }
        // AMQP's timestamps are whole seconds; the rest stays a number.
        Value::Timestamp(at) => put_number(out, b'l', &at.0.to_be_bytes()),
        Value::Text(text) => put_octets(out, b'S', text.as_bytes()),
        Value::Bytes(octets) => put_octets(out, b'x', octets),
        Value::List(items) => {
            let depth = deeper()?;
            out.put_u8(b'A');
            behind_length(out, |out| {
                items
                    .iter()
                    .try_for_each(|item| put_value(out, item, depth))
            })?;
        }
        Value::Table(fields) => {
            let depth = deeper()?;
            out.put_u8(b'F');
            put_table_at(out, fields, depth)?;
        }
        _ => return Err(unconvertible("a header's type is unknown to AMQP 0-9-1")),
    }
    Ok(())
}

fn put_number(out: &mut BytesMut, tag: u8, octets: &[u8]) {
    out.put_u8(tag);
    out.put_slice(octets);
}

fn put_octets(out: &mut BytesMut, tag: u8, octets: &[u8]) {
    out.put_u8(tag);
    put_long_string(out, octets);
}

fn behind_length(
    out: &mut BytesMut,
    write: impl FnOnce(&mut BytesMut) -> Result<()>,
) -> Result<()> {
    let at = out.len();
    out.put_u32(0);
    write(out)?;
    let length =
        u32::try_from(out.len() - at - 4).map_err(|_| unconvertible("headers exceed 4 GiB"))?;
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

/// An error of a message that AMQP 0-9-1 cannot carry.
pub(crate) fn unconvertible(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unsupported, "convert to AMQP 0-9-1", message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scalar() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i8>().prop_map(Value::I8),
            any::<u8>().prop_map(Value::U8),
            any::<i16>().prop_map(Value::I16),
            any::<u16>().prop_map(Value::U16),
            any::<i32>().prop_map(Value::I32),
            any::<u32>().prop_map(Value::U32),
            any::<i64>().prop_map(Value::I64),
            (-1e9f32..1e9).prop_map(Value::F32),
            (-1e9f64..1e9).prop_map(Value::F64),
            (any::<u8>(), any::<i32>())
                .prop_map(|(scale, value)| Value::Decimal(Decimal { scale, value })),
            (-1i64 << 40..1 << 40).prop_map(|s| Value::Timestamp(Millis(s * 1000))),
            any::<Vec<u8>>().prop_map(|b| Value::Text(Text::from_bytes(b))),
            any::<Vec<u8>>().prop_map(|b| Value::Bytes(b.into())),
        ]
    }

    fn value() -> impl Strategy<Value = Value> {
        let name = prop::collection::vec(any::<u8>(), 0..20).prop_map(Text::from_bytes);
        scalar().prop_recursive(4, 24, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
                prop::collection::vec((name.clone(), inner), 0..4).prop_map(Value::Table),
            ]
        })
    }

    fn nest(levels: usize) -> Table {
        let deep = (0..levels).fold(Value::Null, |inner, _| Value::List(vec![inner]));
        vec![(Text::from("deep"), deep)]
    }

    proptest! {
        #[test]
        fn tables_round_trip(value in value()) {
            let table = vec![(Text::from("a"), value.clone()), (Text::from("a"), value)];
            let mut out = BytesMut::new();
            put_table(&mut out, &table).unwrap();
            let bytes = out.freeze();
            check_table(bytes.slice(4..)).unwrap();
            prop_assert_eq!(take_table(&mut Octets::new(bytes)).unwrap(), table);
        }

        #[test]
        fn the_check_agrees_with_the_reader_on_any_octets(bytes: Vec<u8>) {
            let mut framed = BytesMut::new();
            put_long_string(&mut framed, &bytes);
            let read = take_table(&mut Octets::new(framed.freeze()));
            prop_assert_eq!(check_table(bytes.into()).is_ok(), read.is_ok());
        }
    }

    /// A table with `T` of these octets, read and written again.
    fn reread(seconds: u64) -> (Value, Vec<u8>) {
        let octets = [&[1, b't', b'T'][..], &seconds.to_be_bytes()].concat();
        let table = table_inside(octets.into()).unwrap();
        let mut out = BytesMut::new();
        put_table(&mut out, &table).unwrap();
        (table[0].1.clone(), out[4 + 2..].to_vec())
    }

    #[test]
    fn times_before_1970_are_read_and_written() {
        for seconds in [-1, -62_135_596_800, i64::MIN / 1000] {
            let (value, octets) = reread(seconds.cast_unsigned());
            assert_eq!(value, Value::Timestamp(Millis(seconds * 1000)));
            assert_eq!(octets, [&b"T"[..], &seconds.to_be_bytes()].concat());
        }
    }

    #[test]
    fn seconds_beyond_our_milliseconds_stay_a_number() {
        let nanoseconds = 1_700_000_000_123_456_789;
        for seconds in [nanoseconds, i64::MAX, i64::MIN] {
            let (value, octets) = reread(seconds.cast_unsigned());
            assert_eq!(value, Value::I64(seconds));
            assert_eq!(octets, [&b"l"[..], &seconds.to_be_bytes()].concat());
        }
    }

    #[test]
    fn sixty_four_levels_pass_and_one_more_is_refused() {
        let mut out = BytesMut::new();
        put_table(&mut out, &nest(64)).unwrap();
        let bytes = out.freeze();
        check_table(bytes.slice(4..)).unwrap();
        take_table(&mut Octets::new(bytes)).unwrap();
        assert!(put_table(&mut BytesMut::new(), &nest(65)).is_err());
    }

    #[test]
    fn five_thousand_levels_are_refused_without_recursion_that_deep() {
        let mut inner = Vec::new();
        for _ in 0..5000 {
            let mut outer = vec![b'A'];
            outer.extend(u32::try_from(inner.len()).unwrap().to_be_bytes());
            outer.extend(&inner);
            inner = outer;
        }
        let mut fields = vec![1, b'x'];
        fields.extend(&inner);
        assert!(check_table(fields.clone().into()).is_err());
        let mut framed = BytesMut::new();
        put_long_string(&mut framed, &fields);
        assert!(take_table(&mut Octets::new(framed.freeze())).is_err());
    }
}
