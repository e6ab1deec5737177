//! From a stored message to the frames that carry it to a client.

use bytes::Bytes;
use standpipe_core::{
    Result,
    broker::{Content, Delivery},
    codec::Codecs,
    entry::{Entry, Format, Overlay},
    message::Text,
};

use crate::codec::{frame::FRAME_OVERHEAD, message::to_amqp, stored::Stored, table::unconvertible};

/// Octets of a content header frame's payload before the properties.
const HEADER_FIXED: usize = 12;

/// A message as AMQP carries it.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    pub(super) exchange: Text,
    pub(super) routing_key: Text,
    pub(super) properties: Bytes,
    pub(super) body: Bytes,
}

impl Outgoing {
    /// An AMQP publish goes out with the octets it came with; anything else is converted.
    ///
    /// # Errors
    /// For a message that AMQP, or this client's frame size, cannot carry, or that does not decode.
    pub(super) fn of(delivery: &Delivery, codecs: &Codecs, frame_max: usize) -> Result<Self> {
        let outgoing = match &delivery.content {
            Content::Raw(entry) if entry.draft.format == Format::AMQP091 => {
                verbatim(entry, &delivery.topic)?
            }
            _ => converted(delivery, codecs)?,
        };
        check_properties(&outgoing.properties, frame_max)?;
        Ok(outgoing)
    }
}

/// A content header is one frame.
pub(super) fn check_properties(properties: &Bytes, frame_max: usize) -> Result<()> {
    let (size, limit) = (properties.len(), frame_max - FRAME_OVERHEAD - HEADER_FIXED);
    if size > limit {
        return Err(unconvertible(format!(
            "properties of {size} octets; the client's frames carry {limit}"
        )));
    }
    Ok(())
}

fn verbatim(entry: &Entry, topic: &str) -> Result<Outgoing> {
    let Stored { properties, body } = Stored::split(entry.body())?;
    let overlay = match &entry.draft.fields.overlay {
        Some(overlay) => Overlay::decode(overlay.clone())?,
        None => Overlay::default(),
    };
    Ok(Outgoing {
        exchange: overlay.exchange.unwrap_or_default(),
        routing_key: overlay.routing_key.unwrap_or_else(|| topic.into()),
        properties,
        body,
    })
}

/// What no exchange routed came, in AMQP's terms, through the default one to its topic's name.
fn converted(delivery: &Delivery, codecs: &Codecs) -> Result<Outgoing> {
    let message = delivery.message(codecs)?;
    let Stored { properties, body } = to_amqp(&message)?;
    let short = |text: Option<Text>| match text {
        Some(text) if text.len() > 255 => {
            Err(unconvertible("an exchange or routing key above 255 octets"))
        }
        text => Ok(text),
    };
    let exchange = short(message.annotations.exchange)?;
    let routing_key = short(message.annotations.routing_key)?;
    Ok(Outgoing {
        exchange: exchange.unwrap_or_default(),
        routing_key: routing_key.unwrap_or_else(|| (&*delivery.topic).into()),
        properties,
        body,
    })
}
