//! What a store is asked to do at once.

use std::ops::Range;

use bytes::Bytes;

use super::Durability;
use crate::{
    entry::Draft,
    id::{CursorId, LogId, Millis, Offset},
};

/// The owner's epoch; a store refuses a lower one than it has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub u64);

/// A commit's place in the store's order, from 1. 0 is before all commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CommitSeq(pub u64);

/// One step of a commit.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Appends an entry; the store gives it offset, epoch and time.
    Append {
        /// The log, which comes into being with its first entry.
        log: LogId,
        /// The entry. Bodies that are one allocation within a commit are written once.
        draft: Draft,
    },
    /// Lets entries wholly below `below` go; the log starts there from now on.
    Trim {
        /// The log.
        log: LogId,
        /// The first offset that stays.
        below: Offset,
    },
    /// Says that no reader needs the offsets in `range` any more: reads pass over entries all of whose
    /// offsets are trimmed or forgotten from now on, and the store may give their space back. The
    /// log's ends stay.
    Forget {
        /// The log.
        log: LogId,
        /// Above the log's start: settled for everyone who holds the log, or replaced.
        range: Range<Offset>,
    },
    /// Removes a log with everything in it.
    DropLog {
        /// The log.
        log: LogId,
    },
    /// Writes or removes a key if it is as expected.
    PutIf {
        /// The key.
        key: Bytes,
        /// What must be there.
        expect: Expect,
        /// The new value; `None` removes the key.
        value: Option<Bytes>,
    },
    /// Adds to a cursor's changes.
    Cursor {
        /// The cursor.
        cursor: CursorId,
        /// Opaque to the store.
        change: Bytes,
        /// Whether `change` is a snapshot that replaces all changes before it.
        reset: bool,
    },
    /// Removes a cursor.
    DropCursor {
        /// The cursor.
        cursor: CursorId,
    },
}

/// What a key must hold for a [`Op::PutIf`] to go through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// Anything or nothing.
    Any,
    /// Nothing.
    Absent,
    /// Exactly this.
    Is(Bytes),
}

/// Steps that take effect together.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// The steps, in order.
    pub ops: Vec<Op>,
    /// The level that the store sees to by itself; a higher one only once somebody waits for it.
    pub durability: Durability,
    /// The owner's epoch.
    pub epoch: Epoch,
}

/// A commit that has its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// Wait for this with [`Store::durable`](super::Store::durable).
    pub seq: CommitSeq,
    /// Where each [`Op::Append`] went, in order.
    pub placed: Vec<Placed>,
}

/// Where an entry went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// Its first offset.
    pub base_offset: Offset,
    /// Its append time.
    pub appended: Millis,
    /// The log's leader epoch.
    pub leader_epoch: u32,
}
