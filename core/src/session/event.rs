//! What a consumer is told.

use crate::{
    dispatcher::Receipt,
    error::{Error, Result},
    id::{Offset, PartitionId},
    message::Message,
};

/// One step of a subscription, to the client.
#[derive(Debug, Clone)]
pub enum Event {
    /// It is open; the first of every stream.
    Opened(Vec<Bounds>),
    /// Messages.
    Messages(Vec<Delivered>),
    /// The answer to a settle request.
    Settled {
        /// The client's number for the request.
        sequence: u64,
        /// The settlements that failed; all others are kept.
        failures: Vec<(Receipt, Error)>,
    },
    /// The answer to a seek.
    Sought {
        /// The client's number for the request.
        sequence: u64,
        /// On an error the position is as before.
        result: Result<()>,
    },
    /// The answer to a commit.
    Committed {
        /// The client's number for the request.
        sequence: u64,
        /// `Ok` once it is kept.
        result: Result<()>,
    },
    /// What was there at the opening has been delivered here, or settled.
    Drained,
}

impl Event {
    /// Octets of its messages.
    pub(super) fn octets(&self) -> usize {
        match self {
            Self::Messages(messages) => messages.iter().map(|one| one.message.size()).sum(),
            _ => 0,
        }
    }
}

/// A partition at the opening of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The partition.
    pub partition: PartitionId,
    /// The first offset that is kept.
    pub start: Offset,
    /// The offset that the next message gets.
    pub end: Offset,
    /// Where the subscription goes on.
    pub position: Offset,
}

/// A message on its way to a client.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivered {
    /// What to settle it with; absent in positional mode.
    pub receipt: Option<Receipt>,
    /// Whether it may have been delivered before, to anyone.
    pub redelivered: bool,
    /// The message; its annotations say where it is.
    pub message: Message,
}
