//! A message given to a consumer.

use super::ConsumerId;
use crate::id::{Offset, PartitionId};

/// Names one delivery of one message. A later delivery of it has another receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt {
    /// The partition.
    pub partition: PartitionId,
    /// The message.
    pub offset: Offset,
    /// The delivery; unique while the broker runs.
    pub lease: u64,
}

/// One message leased to one consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// Settle with this.
    pub receipt: Receipt,
    /// Who gets it; `None` for a [`get`](super::Dispatcher::get).
    pub consumer: Option<ConsumerId>,
    /// Deliveries before this one that were not acked.
    pub attempts: u32,
    /// Whether it was, or after a crash may have been, delivered before.
    pub redelivered: bool,
}
