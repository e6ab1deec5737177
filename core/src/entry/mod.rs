//! The unit of a log: a fixed envelope around bytes that stay as their producer sent them.

mod draft;
mod fields;
mod format;
mod overlay;
mod wire;

pub use draft::Draft;
pub use fields::Fields;
pub use format::{Flags, Format};
pub use overlay::Overlay;
pub use wire::{EntryHead, HEAD_FIXED, HEAD_LIMIT};

use bytes::Bytes;

use crate::id::{Millis, Offset};

/// A stored entry: one message, a batch of them, or a control record.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The first offset that it covers.
    pub base_offset: Offset,
    /// When the broker stored it; never earlier than the entry before it on the same log.
    pub appended: Millis,
    /// Rises with each recovery of the log; Kafka's partition leader epoch.
    pub leader_epoch: u32,
    /// All that the producer's side decided.
    pub draft: Draft,
}

impl Entry {
    /// The first offset behind it.
    pub fn end_offset(&self) -> Offset {
        self.base_offset.plus(u64::from(self.draft.span))
    }

    /// Whether it covers `offset`.
    pub fn covers(&self, offset: Offset) -> bool {
        self.base_offset <= offset && offset < self.end_offset()
    }

    /// What look-up by time compares: the producer's latest clock, else ours.
    pub fn time(&self) -> Millis {
        self.draft
            .created
            .map_or(self.appended, |(_, latest)| latest)
    }

    /// The producer's bytes.
    pub fn body(&self) -> &Bytes {
        &self.draft.body
    }
}

/// An idempotent producer's stamp on an entry (Kafka, KIP-98).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerStamp {
    /// The id that the broker gave out.
    pub id: i64,
    /// Rises when the id is taken over.
    pub epoch: i16,
    /// The first message's sequence number; wraps at 2^31.
    pub sequence: i32,
}
