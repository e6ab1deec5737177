//! An entry before it has a place: what a frontend hands to the broker.

use bytes::Bytes;

use super::{Fields, Flags, Format, ProducerStamp};
use crate::id::Millis;

/// An entry without offset, epoch and append time, which the log gives it.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// How `body` is encoded.
    pub format: Format,
    /// Control, transactional.
    pub flags: Flags,
    /// Offsets covered; at least 1.
    pub span: u32,
    /// Messages in it that readers see; 0 for a control record.
    pub visible: u32,
    /// An idempotent producer's stamp.
    pub producer: Option<ProducerStamp>,
    /// The producer's clock: earliest and latest message in the body. Absent is not 0.
    pub created: Option<(Millis, Millis)>,
    /// Fields of an entry that holds one message; empty for a batch.
    pub fields: Fields,
    /// The producer's bytes, never changed.
    pub body: Bytes,
}

impl Draft {
    /// One message in `body`, encoded as `format`.
    pub fn single(format: Format, body: Bytes) -> Self {
        Self::batch(format, body, 1)
    }

    /// `count` messages in `body`, encoded as `format`.
    pub fn batch(format: Format, body: Bytes, count: u32) -> Self {
        Self {
            format,
            flags: Flags::NONE,
            span: count,
            visible: count,
            producer: None,
            created: None,
            fields: Fields::default(),
            body,
        }
    }
}
