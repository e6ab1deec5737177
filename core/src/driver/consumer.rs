//! Reading, and settling what was read.

use std::num::NonZeroUsize;

use async_trait::async_trait;

use super::{Incoming, ReceiptToken, Settlement, StartAt};
use crate::error::{Error, ErrorKind, Result};

/// How much one [`Consumer::receive`] may return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiveLimit {
    /// Messages at most.
    pub messages: NonZeroUsize,
    /// Bytes ([`Message::size`](crate::message::Message::size)) at most, save that the first
    /// message always fits.
    pub bytes: usize,
}

impl ReceiveLimit {
    /// One message.
    pub const ONE: Self = Self {
        messages: NonZeroUsize::MIN,
        bytes: 0,
    };

    /// That many messages, at least one, of any size.
    pub fn messages(messages: usize) -> Self {
        Self {
            messages: NonZeroUsize::new(messages).unwrap_or(NonZeroUsize::MIN),
            bytes: usize::MAX,
        }
    }
}

/// Receives messages from one source, in the order of each lane.
#[async_trait]
pub trait Consumer: Send {
    /// Waits for at least one message and returns what is there, up to `limit`. `None` is the end:
    /// of a file, or of what [`Until::End`](super::Until::End) asked for; after it, every call
    /// returns `None`.
    ///
    /// Cancel safe: a message is either returned or still to come; dropping the future loses none.
    ///
    /// # Errors
    /// `Disconnected` where the connection is gone: deliveries not settled yet come again to a new
    /// consumer. `Transient` where calling again may work. `Closed` after [`Consumer::close`].
    async fn receive(&mut self, limit: ReceiveLimit) -> Result<Option<Vec<Incoming>>>;

    /// Moves on to `to`, for sources whose [`Seeking`](super::Seeking) says so; what was
    /// delivered and not settled is forgotten.
    ///
    /// # Errors
    /// `Unsupported` unless the source can.
    async fn seek(&mut self, to: StartAt) -> Result<()> {
        let message = format!("this source cannot move to {to}");
        Err(Error::new(ErrorKind::Unsupported, "seek", message))
    }

    /// Gives back what was not settled, at its original place, and leaves. What the settler
    /// answered before stays settled.
    ///
    /// # Errors
    /// What the source said; the consumer is gone all the same.
    async fn close(&mut self) -> Result<()>;
}

/// Settles deliveries of the consumer that it was opened with, while that one waits for more.
#[async_trait]
pub trait Settler: Send + Sync {
    /// Settles deliveries, in the order given. `Ok` means that the source has taken note as
    /// durably as its protocol can tell.
    ///
    /// Where the source settles [cumulatively](super::Settling::Cumulative), the caller acks a
    /// lane's deliveries in their order and without holes, since each ack covers all before it.
    ///
    /// Cancel safe in that a dropped call leaves each delivery either settled or to come again.
    ///
    /// # Errors
    /// `Unsupported`, before anything is done, where the source cannot express a settlement.
    /// `Unknown` or `Disconnected`: some may be settled, the others come again.
    async fn settle(&self, settlements: Vec<(ReceiptToken, Settlement)>) -> Result<()>;
}
