//! AMQP 0-9-1 on the wire and in the store: frames, methods, field tables, properties, and the
//! mapping to and from [`Message`](standpipe_core::message::Message) (see [`AmqpCodec`]).

mod amqp091;
pub(crate) mod frame;
pub(crate) mod message;
pub(crate) mod method;
pub(crate) mod octets;
pub(crate) mod properties;
pub(crate) mod stored;
pub(crate) mod table;

pub use amqp091::AmqpCodec;

use std::sync::Arc;

use standpipe_core::codec::Codecs;

/// Adds the codec of [`Format::AMQP091`](standpipe_core::entry::Format::AMQP091).
pub fn register(codecs: &mut Codecs) {
    codecs.register(Arc::new(AmqpCodec));
}
