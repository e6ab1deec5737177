//! What a round is shown, and what it says to it.

use std::ops::Range;

use super::Key;
use crate::id::{Millis, Offset};

/// A message as compaction sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Its place.
    pub offset: Offset,
    /// Its key; a message without one is replaced by nothing.
    pub key: Option<Key>,
    /// Whether it says that its key is gone.
    pub is_tombstone: bool,
}

/// How an entry can become smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// Message by message.
    Divisible,
    /// It goes whole or stays whole.
    Whole,
    /// It stays, whatever is in it: somebody holds it.
    Held,
}

/// One entry of a log.
#[derive(Debug, Clone)]
pub struct Part {
    /// The offsets that it covers.
    pub range: Range<Offset>,
    /// When it was appended.
    pub appended: Millis,
    /// How it can become smaller.
    pub fit: Fit,
    /// Its messages, in order; `None` where it does not read.
    pub records: Option<Vec<Record>>,
}

/// What becomes of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It stays as it is.
    Keep,
    /// Nobody needs it.
    Forget,
    /// Only the messages at these offsets stay.
    Shrink(Vec<Offset>),
}
