//! What a pipe has done so far.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// Live counts of a pipe; they only grow.
#[derive(Debug, Default)]
pub struct Counts {
    pub(super) received: Count,
    pub(super) redelivered: Count,
    pub(super) moved: Count,
    pub(super) sent: Count,
    pub(super) dropped: Count,
    pub(super) dead_lettered: Count,
    pub(super) rejected: Count,
    pub(super) held: Count,
    pub(super) retried: Count,
    pub(super) duplicates: Count,
    pub(super) bytes: Count,
}

/// A counter.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A reading of [`Counts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Summary {
    /// Messages that the source handed out, redeliveries included.
    pub received: u64,
    /// Of these, messages that the source said it had delivered before.
    pub redelivered: u64,
    /// Source messages that are settled as done.
    pub moved: u64,
    /// Messages that the destination confirmed.
    pub sent: u64,
    /// Source messages of which the transforms left nothing.
    pub dropped: u64,
    /// Messages that the dead-letter destination confirmed.
    pub dead_lettered: u64,
    /// Source messages that were rejected at the source, since they cannot be sent.
    pub rejected: u64,
    /// Source messages that cannot be sent and are kept at the source.
    pub held: u64,
    /// Sends that failed and were or will be tried again.
    pub retried: u64,
    /// Messages that may have arrived twice: sent again after an answer was lost, or confirmed
    /// and not settled before the source was gone.
    pub duplicates: u64,
    /// Bytes that the destination confirmed.
    pub bytes: u64,
}

impl Counts {
    /// The counts now.
    pub fn read(&self) -> Summary {
        Summary {
            received: self.received.get(),
            redelivered: self.redelivered.get(),
            moved: self.moved.get(),
            sent: self.sent.get(),
            dropped: self.dropped.get(),
            dead_lettered: self.dead_lettered.get(),
            rejected: self.rejected.get(),
            held: self.held.get(),
            retried: self.retried.get(),
            duplicates: self.duplicates.get(),
            bytes: self.bytes.get(),
        }
    }
}
