//! Skippable fields that only an entry of one message has.

use bytes::Bytes;

use crate::{
    error::{Error, ErrorKind, Result},
    id::Millis,
};

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

impl Fields {
    /// Octets that an overlay may have: an envelope carries 64 KiB of fields.
    pub const OVERLAY_LIMIT: usize = 65_000;

    /// Whether an envelope can carry them.
    ///
    /// # Errors
    /// `TooLarge` where it cannot.
    pub fn check(&self) -> Result<()> {
        let octets = self.overlay.as_ref().map_or(0, Bytes::len);
        if octets <= Self::OVERLAY_LIMIT {
            return Ok(());
        }
        let message = format!(
            "exchange, routing key and what else the broker notes of a message take {octets} octets; \
             the limit is {}",
            Self::OVERLAY_LIMIT
        );
        Err(Error::new(ErrorKind::TooLarge, "append", message))
    }
}
