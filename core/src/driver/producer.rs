//! Writing.

use async_trait::async_trait;

use crate::{error::Result, message::Message};

/// Sends messages to one destination, in order.
#[async_trait]
pub trait Producer: Send {
    /// Sends a batch, and returns one result for each message, in order. `Ok` means that the
    /// destination has confirmed it as durable as was asked for.
    ///
    /// All of a batch is on its way before the first confirm is waited for. A destination that
    /// refuses one message takes those after it, except where order would be broken: after
    /// `Disconnected` or `Unknown` the rest of the batch has an error too.
    ///
    /// Not cancel safe: after a dropped call, every message of the batch may have been applied.
    /// The producer stays usable, or says `Disconnected` from then on.
    ///
    /// # Errors
    /// For each message: `Disconnected` or `Transient` where it was not applied, `Unknown` where it
    /// may have been, `Throttled` where it was refused at once, `TooLarge`, `Unsupported` or
    /// `Permanent` where sending it again cannot work.
    async fn send(&mut self, batch: Vec<Message>) -> Vec<Result<()>>;

    /// Waits for what is under way, then leaves.
    ///
    /// # Errors
    /// What the destination said; the producer is gone all the same.
    async fn close(&mut self) -> Result<()>;
}
