//! The `native` format: batched messages in Standpipe's own typed encoding.
//!
//! A body is a varint count and that many messages, each behind its varint length, so that one
//! can be read without the others. A message is fields of (tag, length, octets): key, payload,
//! headers, properties. What is absent is not written; an empty payload is written as empty.

mod codec;
mod message;
mod value;

pub use codec::NativeCodec;
pub use message::{put_message, take_message};
pub use value::{put_value, take_value};
