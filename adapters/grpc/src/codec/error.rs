//! Errors: ours inside results, gRPC's status for a call as a whole.

use standpipe_core::{Error, ErrorKind};
use tonic::{Code, Status};

use crate::proto::{self, ErrorCode};

pub(crate) fn error_to_proto(error: &Error) -> proto::Error {
    proto::Error {
        code: kind_to_code(error.kind()).into(),
        message: error.to_string(),
    }
}

pub(crate) fn kind_to_code(kind: ErrorKind) -> ErrorCode {
    match kind {
        ErrorKind::Transient => ErrorCode::Transient,
        ErrorKind::Throttled => ErrorCode::Throttled,
        ErrorKind::Disconnected => ErrorCode::Disconnected,
        ErrorKind::Permanent => ErrorCode::Permanent,
        ErrorKind::Unsupported => ErrorCode::Unsupported,
        ErrorKind::NotFound => ErrorCode::NotFound,
        ErrorKind::Exists => ErrorCode::Exists,
        ErrorKind::Denied => ErrorCode::Denied,
        ErrorKind::Conflict => ErrorCode::Conflict,
        ErrorKind::TooLarge => ErrorCode::TooLarge,
        ErrorKind::Invalid => ErrorCode::Invalid,
        ErrorKind::Corrupt => ErrorCode::Corrupt,
        ErrorKind::Closed => ErrorCode::Closed,
        // `Unknown`, and what a later core adds: it may have been applied.
        _ => ErrorCode::Unknown,
    }
}

pub(crate) fn code_to_kind(code: ErrorCode) -> ErrorKind {
    match code {
        ErrorCode::Transient => ErrorKind::Transient,
        ErrorCode::Throttled => ErrorKind::Throttled,
        ErrorCode::Disconnected => ErrorKind::Disconnected,
        ErrorCode::Unspecified | ErrorCode::Unknown => ErrorKind::Unknown,
        ErrorCode::Permanent => ErrorKind::Permanent,
        ErrorCode::Unsupported => ErrorKind::Unsupported,
        ErrorCode::NotFound => ErrorKind::NotFound,
        ErrorCode::Exists => ErrorKind::Exists,
        ErrorCode::Denied => ErrorKind::Denied,
        ErrorCode::Conflict => ErrorKind::Conflict,
        ErrorCode::TooLarge => ErrorKind::TooLarge,
        ErrorCode::Invalid => ErrorKind::Invalid,
        ErrorCode::Corrupt => ErrorKind::Corrupt,
        ErrorCode::Closed => ErrorKind::Closed,
    }
}

/// The status that ends a call because of `error`.
pub(crate) fn to_status(error: &Error) -> Status {
    let code = match error.kind() {
        ErrorKind::Transient | ErrorKind::Disconnected | ErrorKind::Closed => Code::Unavailable,
        ErrorKind::Throttled => Code::ResourceExhausted,
        ErrorKind::Permanent => Code::FailedPrecondition,
        ErrorKind::Unsupported => Code::Unimplemented,
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::Exists => Code::AlreadyExists,
        ErrorKind::Denied => Code::PermissionDenied,
        ErrorKind::Conflict => Code::Aborted,
        ErrorKind::TooLarge => Code::OutOfRange,
        ErrorKind::Invalid => Code::InvalidArgument,
        ErrorKind::Corrupt => Code::DataLoss,
        _ => Code::Unknown,
    };
    Status::new(code, error.to_string())
}

/// What a status that ended a call means to the caller.
pub(crate) fn status_to_error(operation: &'static str, status: &Status) -> Error {
    let kind = match status.code() {
        Code::Unavailable | Code::Cancelled => ErrorKind::Disconnected,
        Code::ResourceExhausted => ErrorKind::Throttled,
        Code::FailedPrecondition => ErrorKind::Permanent,
        Code::Unimplemented => ErrorKind::Unsupported,
        Code::NotFound => ErrorKind::NotFound,
        Code::AlreadyExists => ErrorKind::Exists,
        Code::PermissionDenied | Code::Unauthenticated => ErrorKind::Denied,
        Code::Aborted => ErrorKind::Conflict,
        Code::OutOfRange => ErrorKind::TooLarge,
        Code::InvalidArgument => ErrorKind::Invalid,
        Code::DataLoss => ErrorKind::Corrupt,
        _ => ErrorKind::Unknown,
    };
    Error::new(kind, operation, status.message())
}
