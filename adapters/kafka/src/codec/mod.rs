//! Kafka's wire format: requests and responses (`api`), and record batches (`records`).
//!
//! Everything from the wire goes through `reader`: no length or count is believed before it is
//! compared with what is left to read.

pub(crate) mod api;
pub(crate) mod error_code;
pub(crate) mod header;
mod message;
mod reader;
pub(crate) mod records;
mod wire;

use std::sync::Arc;

use standpipe_core::codec::Codecs;

pub(crate) use message::message;
pub(crate) use reader::{Malformed, Reader};
pub use records::KafkaCodec;
pub(crate) use wire::{Wire, Writer};

/// Adds the codec of record batches.
pub fn register(codecs: &mut Codecs) {
    codecs.register(Arc::new(KafkaCodec));
}
