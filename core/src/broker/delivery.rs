//! A message on its way to a consumer.

use std::sync::Arc;

use crate::{
    codec::{Codecs, annotate},
    dispatcher::Receipt,
    entry::Entry,
    error::{Error, ErrorKind, Result},
    id::{Offset, PartitionId},
    message::Message,
};

/// One message given to one consumer. It is leased until it is settled.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Settle with this; for a positional reader its lease is 0.
    pub receipt: Receipt,
    /// The topic that holds the message.
    pub topic: Arc<str>,
    /// Deliveries before this one that were not acked.
    pub attempts: u32,
    /// Whether it was, or after a crash may have been, delivered before.
    pub redelivered: bool,
    /// The message.
    pub content: Content,
}

/// A message as stored, or decoded where its entry holds more than one.
#[derive(Debug, Clone)]
pub enum Content {
    /// The only message of its entry, in the producer's own bytes.
    Raw(Entry),
    /// One message of a batch.
    Decoded(Box<Message>),
}

impl Delivery {
    /// The partition.
    pub fn partition(&self) -> PartitionId {
        self.receipt.partition
    }

    /// The message's place.
    pub fn offset(&self) -> Offset {
        self.receipt.offset
    }

    /// The message, with where it was read from in its annotations.
    ///
    /// # Errors
    /// As [`Codecs::decode`]; settle it as rejected with reason `unconvertible` then.
    pub fn message(&self, codecs: &Codecs) -> Result<Message> {
        let mut message = match &self.content {
            Content::Decoded(message) => (**message).clone(),
            Content::Raw(entry) => {
                let mut messages = codecs.decode(entry)?;
                match messages.pop() {
                    Some((_, message)) if messages.is_empty() => message,
                    _ => return Err(not_single(self.offset())),
                }
            }
        };
        annotate(&mut message, &self.topic, self.partition(), self.attempts);
        Ok(message)
    }

    /// Octets, for credits and outboxes.
    pub fn size(&self) -> usize {
        match &self.content {
            Content::Raw(entry) => entry.body().len(),
            Content::Decoded(message) => message.footprint(),
        }
    }
}

fn not_single(offset: Offset) -> Error {
    let message =
        format!("the entry at offset {offset} does not hold the one message it announces");
    Error::new(ErrorKind::Invalid, "decode delivery", message)
}
