//! From stored bytes to messages: one codec a format, registered like a driver.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    entry::{Entry, Flags, Format, Overlay},
    error::{Error, ErrorKind, Result},
    id::{Offset, PartitionId},
    message::Message,
    native::NativeCodec,
};

/// Decodes entries of one [`Format`].
pub trait Codec: Send + Sync + 'static {
    /// The format that it reads.
    fn format(&self) -> Format;

    /// The messages of an entry, in offset order: exactly `visible` of them.
    ///
    /// # Errors
    /// `Invalid` where the bytes do not decode within the codec's limits (decompressed size, depth).
    fn decode(&self, entry: &Entry) -> Result<Vec<Message>>;
}

/// The codecs that this process knows; `native` is always among them.
#[derive(Clone)]
pub struct Codecs(BTreeMap<Format, Arc<dyn Codec>>);

impl Default for Codecs {
    fn default() -> Self {
        let mut codecs = Self(BTreeMap::new());
        codecs.register(Arc::new(NativeCodec));
        codecs
    }
}

impl Codecs {
    /// Adds a codec; a later one for the same format replaces the earlier.
    pub fn register(&mut self, codec: Arc<dyn Codec>) {
        self.0.insert(codec.format(), codec);
    }

    /// The messages of an entry with their offsets; overlay and place become annotations.
    /// A control record has none.
    ///
    /// # Errors
    /// `Unsupported` where the format's codec is not registered, `Invalid` where the bytes do not decode.
    pub fn decode(&self, entry: &Entry) -> Result<Vec<(Offset, Message)>> {
        if entry.draft.flags.contains(Flags::CONTROL) {
            return Ok(Vec::new());
        }
        let mut messages = self.codec(entry.draft.format)?.decode(entry)?;
        if let [message] = messages.as_mut_slice()
            && let Some(overlay) = &entry.draft.fields.overlay
        {
            apply(message, Overlay::decode(overlay.clone())?);
        }
        let placed = messages
            .into_iter()
            .enumerate()
            .map(|(index, mut message)| {
                let offset = entry.base_offset.plus(index as u64);
                message.annotations.offset = Some(offset);
                message.annotations.appended = Some(entry.appended);
                (offset, message)
            });
        Ok(placed.collect())
    }

    fn codec(&self, format: Format) -> Result<&Arc<dyn Codec>> {
        self.0.get(&format).ok_or_else(|| {
            let message =
                format!("no codec for format {format}; build with that adapter's feature");
            Error::new(ErrorKind::Unsupported, "decode entry", message)
        })
    }
}

impl std::fmt::Debug for Codecs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

fn apply(message: &mut Message, overlay: Overlay) {
    message.annotations.exchange = overlay.exchange;
    message.annotations.routing_key = overlay.routing_key;
    for (name, value) in overlay.headers {
        message.headers.set(name, value);
    }
}

/// Fills in where a message was read from.
pub fn annotate(message: &mut Message, topic: &str, partition: PartitionId, attempts: u32) {
    message.annotations.topic = Some(topic.into());
    message.annotations.partition = Some(partition);
    message.annotations.attempts = Some(attempts);
}
