//! Skippable fields that only an entry of one message has.

use bytes::Bytes;

use crate::id::Millis;

/// What the broker must know of a single message without decoding its body.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields {
    /// The producer's priority.
    pub priority: Option<u8>,
    /// Expired from then on: append time plus time to live.
    pub expires_at: Option<Millis>,
    /// Not to be delivered before.
    pub deliver_at: Option<Millis>,
    /// murmur2 of the key, as Kafka's clients compute it.
    pub key_hash: Option<u32>,
    /// An encoded [`Overlay`](super::Overlay): what a broker added to the message.
    pub overlay: Option<Bytes>,
}
