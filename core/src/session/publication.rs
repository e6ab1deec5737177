//! What a publisher sends, and what it is told.

use super::Destination;
use crate::{
    error::Result,
    id::{Offset, PartitionId},
    message::Message,
    store::Durability,
};

/// Messages to publish, and where. What is absent stays as it was on the stream.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PublishRequest {
    /// Where to; the first request of a stream must say it.
    pub destination: Option<Destination>,
    /// What results wait for; at first the topic's own setting.
    pub durability: Option<Durability>,
    /// The messages, in order; may be empty.
    pub messages: Vec<Publication>,
}

impl PublishRequest {
    /// Octets of all messages, as limits count them.
    pub fn size(&self) -> usize {
        let sizes = self.messages.iter().map(|one| one.message.size());
        sizes.fold(0, usize::saturating_add)
    }
}

/// One message to publish.
#[derive(Debug, Clone, PartialEq)]
pub struct Publication {
    /// The client's number for it, given back in its outcome.
    pub sequence: u64,
    /// The message.
    pub message: Message,
}

/// What became of one message.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The number of the message that this answers.
    pub sequence: u64,
    /// `Ok` once it is as durable as asked.
    pub result: Result<Published>,
}

/// A message that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Published {
    /// Topics that it went to.
    pub routed: u32,
    /// Its partition and place there, where it was published to a topic.
    pub placed: Option<(PartitionId, Offset)>,
}
