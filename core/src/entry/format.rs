//! Tags of an entry: how its body is encoded, and what it is.

use std::fmt;

/// How a body is encoded. An open set: whoever registers a codec owns its tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Format(pub u16);

impl Format {
    /// Standpipe's batched, typed encoding of [`Message`](crate::message::Message).
    pub const NATIVE: Self = Self(1);
    /// A Kafka record batch, magic 2, verbatim with its compression.
    pub const KAFKA2: Self = Self(2);
    /// AMQP 0-9-1: content header frame payload and body, as received.
    pub const AMQP091: Self = Self(3);

    /// The name under which its codec is registered.
    pub fn name(self) -> &'static str {
        match self {
            Self::NATIVE => "native",
            Self::KAFKA2 => "kafka2",
            Self::AMQP091 => "amqp091",
            _ => "unknown",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.0)
    }
}

/// Bits that say what an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Flags(pub u16);

impl Flags {
    /// An ordinary entry.
    pub const NONE: Self = Self(0);
    /// A control record: takes offsets, is no message.
    pub const CONTROL: Self = Self(1);
    /// Part of a transaction; decided by a later control record.
    pub const TRANSACTIONAL: Self = Self(2);
    /// The confirm waits for the sync (durability `disk`).
    pub const DISK: Self = Self(4);
    /// The body lies elsewhere in the same commit and is shared.
    pub const BODY_BY_REFERENCE: Self = Self(8);

    /// Whether all bits of `other` are set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// With the bits of `other` set.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
