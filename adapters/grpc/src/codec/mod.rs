//! [`proto`](crate::proto) messages ⇄ the messages of core. Nothing that core can say is lost.

mod admin;
mod bounded;
mod error;
mod event;
mod message;
mod props;
mod publish;
mod request;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use admin::{topic_from_proto, topic_to_proto};
pub(crate) use bounded::PUBLISH_MESSAGES;
pub use bounded::{BoundedCodec, BoundedDecoder};
pub(crate) use error::{error_to_proto, status_to_error, to_status};
pub(crate) use event::{event_from_proto, event_to_proto};
pub use message::{message_from_proto, message_to_proto};
pub(crate) use publish::{
    outcome_from_proto, outcome_to_proto, publish_from_proto, publish_to_proto,
};
pub(crate) use request::{open_from_proto, open_to_proto, request_from_proto, request_to_proto};

use error::code_to_kind;
use standpipe_core::{Error, ErrorKind};

const OPERATION: &str = "decode gRPC message";

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, OPERATION, message)
}
