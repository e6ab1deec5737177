//! What a broker adds to a stored message, beside the producer's bytes.

use bytes::{Bytes, BytesMut};

use crate::{
    error::Result,
    message::{Headers, Parts, Text, Value},
    native::{put_value, take_value},
    wire::{Reader, Writer},
};

const EXCHANGE: u8 = 1;
const ROUTING_KEY: u8 = 2;
const HEADER: u8 = 3;

/// The broker's additions to a message of one entry.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Overlay {
    /// The exchange that it was published to; empty for AMQP's default exchange.
    pub exchange: Option<Text>,
    /// The routing key that it was published with.
    pub routing_key: Option<Text>,
    /// Headers that replace the producer's of the same name (death history).
    pub headers: Headers,
}

impl Overlay {
    /// The encoding that an entry's envelope carries.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        let mut put = |tag: u8, text: &Text| {
            out.put_varint(u64::from(tag));
            out.put_bytes_with_length(text.as_bytes());
        };
        if let Some(exchange) = &self.exchange {
            put(EXCHANGE, exchange);
        }
        if let Some(key) = &self.routing_key {
            put(ROUTING_KEY, key);
        }
        for (name, value) in &self.headers {
            let mut field = BytesMut::new();
            field.put_bytes_with_length(name.as_bytes());
            put_value(&mut field, value);
            put(HEADER, &Text::from(field.freeze()));
        }
        out.freeze()
    }

    /// Reads what [`Overlay::encode`] wrote; unknown fields are skipped.
    ///
    /// # Errors
    /// `Invalid` where the bytes are cut short or nested too deep, `TooLarge` for too many headers.
    pub fn decode(bytes: Bytes) -> Result<Self> {
        let mut reader = Reader::new(bytes, "read overlay");
        let (mut overlay, mut parts) = (Self::default(), Parts::default());
        while !reader.is_empty() {
            let tag = reader.varint()?;
            let octets = reader.bytes()?;
            match u8::try_from(tag) {
                Ok(EXCHANGE) => overlay.exchange = Some(Text::from(octets)),
                Ok(ROUTING_KEY) => overlay.routing_key = Some(Text::from(octets)),
                Ok(HEADER) => {
                    let (name, value) = take_header(octets, &mut parts)?;
                    overlay.headers.push(name, value);
                }
                _ => {}
            }
        }
        Ok(overlay)
    }
}

fn take_header(octets: Bytes, parts: &mut Parts) -> Result<(Text, Value)> {
    let mut field = Reader::new(octets, "read overlay");
    let name = Text::from(field.bytes()?);
    parts.take(field.operation())?;
    Ok((name, take_value(&mut field, parts)?))
}
