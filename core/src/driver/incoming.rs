//! A message as a source hands it out.

use crate::message::Message;

/// Messages of one lane are to be kept in order; lanes are independent of each other.
///
/// A lane is what the source orders by: a queue, a partition, a file. The number means nothing
/// beyond the consumer that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lane(pub u64);

/// Names one delivery to the [`Settler`](super::Settler) that was opened with its consumer.
///
/// Within a lane, numbers grow in the order of delivery. A token is void once its consumer is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ReceiptToken {
    /// The lane of the delivery.
    pub lane: Lane,
    /// Its number there: a delivery tag, an offset, a line.
    pub number: u64,
}

/// One delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming {
    /// What was sent; the source's facts about this copy are its annotations.
    pub message: Message,
    /// What to settle it with.
    pub receipt: ReceiptToken,
    /// Deliveries before this one that were not acked, as far as the source can tell: 1 where it
    /// has only a flag, 0 where it has nothing.
    pub attempts: u32,
}

impl Incoming {
    /// The lane that orders it.
    pub fn lane(&self) -> Lane {
        self.receipt.lane
    }
}
