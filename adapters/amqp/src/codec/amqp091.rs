//! The codec of stored AMQP messages.

use standpipe_core::{
    Result,
    codec::Codec,
    entry::{Entry, Format, Overlay},
    message::Message,
};

use super::{message::from_amqp, stored::Stored};

/// Reads [`Format::AMQP091`]: a u32 length, property flags and properties as received, the body.
///
/// Key: the header `x-standpipe-key`, else the routing key where it is not empty. A body that is
/// empty beside the header `x-standpipe-tombstone: true` is a tombstone. `x-standpipe-headers`, an
/// array of `[name, value]`, replaces the headers; `timestamp_in_ms` makes `timestamp` finer.
#[derive(Debug, Clone, Copy, Default)]
pub struct AmqpCodec;

impl Codec for AmqpCodec {
    fn format(&self) -> Format {
        Format::AMQP091
    }

    fn decode(&self, entry: &Entry) -> Result<Vec<Message>> {
        let mut message = from_amqp(&Stored::split(entry.body())?)?;
        if message.key.is_none()
            && let Some(overlay) = &entry.draft.fields.overlay
        {
            let routing_key = Overlay::decode(overlay.clone())?.routing_key;
            message.key = routing_key
                .filter(|key| !key.is_empty())
                .map(|key| key.as_bytes().clone());
        }
        Ok(vec![message])
    }
}
