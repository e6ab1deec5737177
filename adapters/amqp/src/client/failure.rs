//! What lapin's errors mean to a caller.

use lapin::{ErrorKind as Lapin, protocol::AMQPErrorKind};
use standpipe_core::{Error, ErrorKind};

/// An error of `operation`, of the kind that `cause` asks for.
pub(super) fn failure(operation: &'static str, cause: lapin::Error) -> Error {
    let (kind, message) = match cause.kind() {
        Lapin::ProtocolError(error) => {
            let code = match error.kind() {
                AMQPErrorKind::Soft(soft) => soft.get_id(),
                AMQPErrorKind::Hard(hard) => hard.get_id(),
            };
            (
                kind_of_code(code),
                format!("the broker said {code} {}", error.get_message()),
            )
        }
        Lapin::ChannelsLimitReached => (
            ErrorKind::Throttled,
            "the connection has its limit of channels".to_owned(),
        ),
        Lapin::SerialisationError(_) => (
            ErrorKind::Unsupported,
            "AMQP 0-9-1 cannot carry it".to_owned(),
        ),
        Lapin::InvalidProtocolVersion(version) => (
            ErrorKind::Unsupported,
            format!("the broker speaks {version}, not 0-9-1"),
        ),
        _ => (ErrorKind::Disconnected, "the connection is gone".to_owned()),
    };
    Error::new(kind, operation, message).with_source(cause)
}

/// The same, for something that was sent and may have been applied.
pub(super) fn unanswered(operation: &'static str, cause: lapin::Error) -> Error {
    let message = "the broker did not answer before the channel ended";
    Error::new(ErrorKind::Unknown, operation, message).with_source(failure(operation, cause))
}

/// Whether the broker closed the channel, and not the connection, for something that was sent on it.
pub(super) fn is_of_the_channel(cause: &lapin::Error) -> bool {
    match cause.kind() {
        Lapin::ProtocolError(error) => matches!(error.kind(), AMQPErrorKind::Soft(_)),
        _ => false,
    }
}

/// Reply codes of the specification, section 1.2.
fn kind_of_code(code: u16) -> ErrorKind {
    match code {
        311 => ErrorKind::TooLarge,
        403 | 405 | 530 => ErrorKind::Denied,
        404 | 402 => ErrorKind::NotFound,
        506 => ErrorKind::Throttled,
        540 => ErrorKind::Unsupported,
        320 | 541 => ErrorKind::Disconnected,
        _ => ErrorKind::Permanent,
    }
}
