//! [`proto`](crate::proto) messages ⇄ the messages of core. Nothing that core can say is lost.

mod error;
mod message;
mod props;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use error::{code_to_kind, error_to_proto, kind_to_code, status_to_error, to_status};
pub use message::{message_from_proto, message_to_proto};

use standpipe_core::{Error, ErrorKind};

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "decode gRPC message", message)
}
