//! Typed header values: the union of what AMQP 0-9-1 tables and Kafka headers can say.

use bytes::Bytes;

use super::Text;
use crate::id::Millis;

/// A header's value. Null differs from empty text; numbers keep the width their producer chose.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// No value: AMQP void, a Kafka header of length -1.
    Null,
    /// Truth.
    Bool(bool),
    /// Signed, 8 bits.
    I8(i8),
    /// Unsigned, 8 bits.
    U8(u8),
    /// Signed, 16 bits.
    I16(i16),
    /// Unsigned, 16 bits.
    U16(u16),
    /// Signed, 32 bits.
    I32(i32),
    /// Unsigned, 32 bits.
    U32(u32),
    /// Signed, 64 bits.
    I64(i64),
    /// IEEE 754, 32 bits.
    F32(f32),
    /// IEEE 754, 64 bits.
    F64(f64),
    /// `value` divided by ten to the power of `scale` (AMQP 0-9-1, field type `D`).
    Decimal(Decimal),
    /// A point in time. AMQP 0-9-1 has seconds; the rest is milliseconds.
    Timestamp(Millis),
    /// Text; see [`Text`] for what is not UTF-8.
    Text(Text),
    /// Octets that are not text.
    Bytes(Bytes),
    /// Values in order.
    List(Vec<Value>),
    /// Named values in order, duplicates kept.
    Table(Vec<(Text, Value)>),
}

/// AMQP 0-9-1's decimal: `value / 10^scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    /// Digits after the point.
    pub scale: u8,
    /// The digits.
    pub value: i32,
}

impl Value {
    /// Text where the octets are UTF-8, else bytes: how untyped header bytes enter the model.
    pub fn from_octets(octets: Bytes) -> Self {
        if std::str::from_utf8(&octets).is_ok() {
            Self::Text(Text::from(octets))
        } else {
            Self::Bytes(octets)
        }
    }

    /// The number of an integer, however wide.
    pub fn as_integer(&self) -> Option<i64> {
        match *self {
            Self::I8(n) => Some(n.into()),
            Self::U8(n) => Some(n.into()),
            Self::I16(n) => Some(n.into()),
            Self::U16(n) => Some(n.into()),
            Self::I32(n) => Some(n.into()),
            Self::U32(n) => Some(n.into()),
            Self::I64(n) => Some(n),
            _ => None,
        }
    }

    /// The name of its type, as RabbitMQ says it to clients.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "void",
            Self::Bool(_) => "bool",
            Self::I8(_) => "byte",
            Self::U8(_) => "unsignedbyte",
            Self::I16(_) => "short",
            Self::U16(_) => "unsignedshort",
            Self::I32(_) => "signedint",
            Self::U32(_) => "unsignedint",
            Self::I64(_) => "long",
            Self::F32(_) => "float",
            Self::F64(_) => "double",
            Self::Decimal(_) => "decimal",
            Self::Timestamp(_) => "timestamp",
            Self::Text(_) => "longstr",
            Self::Bytes(_) => "binary",
            Self::List(_) => "array",
            Self::Table(_) => "table",
        }
    }

    /// What to show of it in an error.
    pub fn shown(&self) -> String {
        match (self, self.as_integer()) {
            (_, Some(number)) => number.to_string(),
            (Self::Text(text), _) => text.to_string(),
            (Self::Bool(truth), _) => truth.to_string(),
            (other, _) => format!("{other:?}"),
        }
    }

    /// Levels of nesting below this value; 0 for a scalar.
    pub fn depth(&self) -> usize {
        match self {
            Self::List(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Self::Table(fields) => 1 + fields.iter().map(|(_, v)| v.depth()).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// Approximate octets, for limits.
    pub fn size(&self) -> usize {
        match self {
            Self::Null | Self::Bool(_) | Self::I8(_) | Self::U8(_) => 1,
            Self::I16(_) | Self::U16(_) => 2,
            Self::I32(_) | Self::U32(_) | Self::F32(_) | Self::Decimal(_) => 4,
            Self::I64(_) | Self::F64(_) | Self::Timestamp(_) => 8,
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::List(items) => items.iter().map(Self::size).sum(),
            Self::Table(fields) => fields.iter().map(|(n, v)| n.len() + v.size()).sum(),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<Text> for Value {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::I64(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}
