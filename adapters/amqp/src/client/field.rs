//! Header tables, lapin's and ours.
//!
//! lapin keeps a table sorted by name, so the order of headers is the names' order on this side.

use lapin::types::{
    AMQPValue, ByteArray, DecimalValue, FieldArray, FieldTable, LongString, ShortString,
};
use standpipe_core::{
    Error, ErrorKind, Result,
    id::Millis,
    message::{Decimal, Text, Value},
};

use super::target::short_text;
use crate::codec::table::Table;

/// A table as lapin has it.
///
/// # Errors
/// `Unsupported` for names that lapin cannot carry, and for times before 1970.
pub(super) fn to_lapin(table: &[(Text, Value)]) -> Result<FieldTable> {
    let mut out = FieldTable::default();
    for (name, value) in table {
        out.insert(short_text(name)?, value_to_lapin(value)?);
    }
    Ok(out)
}

/// A table as the codec has it.
pub(super) fn from_lapin(table: &FieldTable) -> Table {
    let pairs = table.inner().iter();
    pairs
        .map(|(name, value)| (text(name), value_from_lapin(value)))
        .collect()
}

pub(super) fn text(name: &ShortString) -> Text {
    Text::from(name.as_str())
}

fn value_to_lapin(value: &Value) -> Result<AMQPValue> {
    Ok(match value {
        Value::Null => AMQPValue::Void,
        Value::Bool(truth) => AMQPValue::Boolean(*truth),
        Value::I8(n) => AMQPValue::ShortShortInt(*n),
        Value::U8(n) => AMQPValue::ShortShortUInt(*n),
        Value::I16(n) => AMQPValue::ShortInt(*n),
        Value::U16(n) => AMQPValue::ShortUInt(*n),
        Value::I32(n) => AMQPValue::LongInt(*n),
        Value::U32(n) => AMQPValue::LongUInt(*n),
        Value::I64(n) => AMQPValue::LongLongInt(*n),
        Value::F32(n) => AMQPValue::Float(*n),
        Value::F64(n) => AMQPValue::Double(*n),
        Value::Decimal(Decimal { scale, value }) => AMQPValue::DecimalValue(DecimalValue {
            scale: *scale,
            value: value.cast_unsigned(),
        }),
        Value::Timestamp(at) => match u64::try_from(at.0.div_euclid(1000)) {
            Ok(seconds) => AMQPValue::Timestamp(seconds),
            Err(_) => return Err(unsupported("a time before 1970")),
        },
        Value::Text(text) => AMQPValue::LongString(LongString::from(text.as_bytes().to_vec())),
        Value::Bytes(bytes) => AMQPValue::ByteArray(ByteArray::from(bytes.to_vec())),
        Value::List(items) => {
            let items = items
                .iter()
                .map(value_to_lapin)
                .collect::<Result<Vec<_>>>()?;
            AMQPValue::FieldArray(FieldArray::from(items))
        }
        Value::Table(fields) => AMQPValue::FieldTable(to_lapin(fields)?),
        other => return Err(unsupported(&format!("{other:?}"))),
    })
}

fn value_from_lapin(value: &AMQPValue) -> Value {
    match value {
        AMQPValue::Boolean(truth) => Value::Bool(*truth),
        AMQPValue::ShortShortInt(n) => Value::I8(*n),
        AMQPValue::ShortShortUInt(n) => Value::U8(*n),
        AMQPValue::ShortInt(n) => Value::I16(*n),
        AMQPValue::ShortUInt(n) => Value::U16(*n),
        AMQPValue::LongInt(n) => Value::I32(*n),
        AMQPValue::LongUInt(n) => Value::U32(*n),
        AMQPValue::LongLongInt(n) => Value::I64(*n),
        AMQPValue::Float(n) => Value::F32(*n),
        AMQPValue::Double(n) => Value::F64(*n),
        AMQPValue::DecimalValue(DecimalValue { scale, value }) => Value::Decimal(Decimal {
            scale: *scale,
            value: value.cast_signed(),
        }),
        AMQPValue::ShortString(short) => Value::Text(text(short)),
        AMQPValue::LongString(long) => Value::Text(Text::from_bytes(long.as_bytes().to_vec())),
        AMQPValue::FieldArray(items) => {
            Value::List(items.as_slice().iter().map(value_from_lapin).collect())
        }
        AMQPValue::Timestamp(seconds) => {
            // Signed, as Java and Go write them; what is beyond our milliseconds stays a number.
            let seconds = seconds.cast_signed();
            let time = seconds.checked_mul(1000).map(Millis);
            time.map_or(Value::I64(seconds), Value::Timestamp)
        }
        AMQPValue::FieldTable(table) => Value::Table(from_lapin(table)),
        AMQPValue::ByteArray(bytes) => Value::Bytes(bytes.as_slice().to_vec().into()),
        AMQPValue::Void => Value::Null,
    }
}

fn unsupported(what: &str) -> Error {
    let message = format!("a header holds {what}, which AMQP 0-9-1 cannot carry");
    Error::new(ErrorKind::Unsupported, "send", message)
}
