//! Changing messages on their way.

use async_trait::async_trait;

use crate::{
    error::{Error, Result},
    message::Message,
};

/// What became of one message.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every outcome is `One`; a box for each would cost more than the room"
)]
pub enum Outcome {
    /// One message.
    One(Message),
    /// Several, in order; all of them are to be confirmed before the source message is settled.
    Many(Vec<Message>),
    /// Nothing: the source message is settled as done.
    Drop,
    /// It could not be transformed: dead-lettered, or held.
    Failed(Error),
}

/// Turns each message into none, one or many.
#[async_trait]
pub trait Transform: Send + Sync {
    /// Applies the transform, and returns exactly one outcome for each message, in order.
    ///
    /// Calls may overlap, so that a child process is kept busy: batches enter in the order in
    /// which their futures are first polled. Dropping a call discards its outcomes, no others'.
    ///
    /// # Errors
    /// The transform itself is broken (a child that ended, a line that makes no sense): the route
    /// stops with it, and nothing of the batch is settled.
    async fn apply(&self, batch: Vec<Message>) -> Result<Vec<Outcome>>;

    /// Ends what belongs to the transform, such as a child process.
    ///
    /// # Errors
    /// Where it did not end well.
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}
