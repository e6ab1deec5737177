//! Errors of the core and of groups as Kafka's codes.

use standpipe_core::{Error, ErrorKind, broker::AppendError, group::Refusal};

use crate::codec::{error_code::ErrorCode, records::BadBatch};

/// Why something was refused: a code to act on, and a message to read.
pub(super) type Failure = (ErrorCode, String);

/// The code of an error of the core.
pub(super) fn code_of(error: &Error) -> ErrorCode {
    match error.kind() {
        ErrorKind::NotFound => ErrorCode::UnknownTopicOrPartition,
        ErrorKind::Exists => ErrorCode::TopicAlreadyExists,
        ErrorKind::TooLarge => ErrorCode::MessageTooLarge,
        ErrorKind::Invalid => ErrorCode::InvalidRequest,
        ErrorKind::Denied => ErrorCode::TopicAuthorizationFailed,
        ErrorKind::Unsupported => ErrorCode::PolicyViolation,
        ErrorKind::Throttled => ErrorCode::ThrottlingQuotaExceeded,
        // Retriable in every client: a repeat is told by its sequence numbers.
        ErrorKind::Transient
        | ErrorKind::Unknown
        | ErrorKind::Disconnected
        | ErrorKind::Corrupt
        | ErrorKind::Closed => ErrorCode::StorageError,
        _ => ErrorCode::UnknownServerError,
    }
}

/// The failure of an error of the core.
pub(super) fn failure_of(error: &Error) -> Failure {
    (code_of(error), error.to_string())
}

/// Why a batch was not appended.
pub(super) fn append_failure(error: AppendError) -> Failure {
    match error {
        AppendError::SequenceGap => {
            let message = "batches of this producer before this one are missing";
            (ErrorCode::OutOfOrderSequenceNumber, message.into())
        }
        AppendError::Fenced => {
            let message = "a newer epoch of this producer has appended";
            (ErrorCode::InvalidProducerEpoch, message.into())
        }
        AppendError::Keyless(error) => (ErrorCode::InvalidRecord, error.to_string()),
        AppendError::Other(error) if error.kind() == ErrorKind::Throttled => {
            (ErrorCode::StorageError, error.to_string())
        }
        AppendError::Other(error) => failure_of(&error),
    }
}

/// Why a batch is no batch to append.
pub(super) fn batch_failure(bad: BadBatch) -> Failure {
    match bad {
        BadBatch::Corrupt(message) => (ErrorCode::CorruptMessage, message),
        BadBatch::Invalid(message) => (ErrorCode::InvalidRecord, message),
        BadBatch::OldFormat => {
            let message = "messages of magic 0 and 1 are not taken; only batches of magic 2";
            (ErrorCode::UnsupportedForMessageFormat, message.into())
        }
        BadBatch::Compression(number) => {
            let message = format!("compression {number} is not known");
            (ErrorCode::UnsupportedCompressionType, message)
        }
        BadBatch::TooLarge(message) => (ErrorCode::MessageTooLarge, message),
        BadBatch::Transactional => {
            let message = "transactions are not implemented";
            (
                ErrorCode::TransactionalIdAuthorizationFailed,
                message.into(),
            )
        }
    }
}

/// The code of a group coordinator's refusal.
pub(super) fn refusal_code(refusal: &Refusal) -> ErrorCode {
    match refusal {
        Refusal::UnknownMember => ErrorCode::UnknownMemberId,
        Refusal::IllegalGeneration => ErrorCode::IllegalGeneration,
        Refusal::RebalanceInProgress => ErrorCode::RebalanceInProgress,
        Refusal::MemberIdRequired(_) => ErrorCode::MemberIdRequired,
        Refusal::InconsistentProtocol => ErrorCode::InconsistentGroupProtocol,
        Refusal::InvalidSessionTimeout => ErrorCode::InvalidSessionTimeout,
        Refusal::InvalidGroupId => ErrorCode::InvalidGroupId,
        Refusal::TooLarge => ErrorCode::InvalidRequest,
        Refusal::GroupFull => ErrorCode::GroupMaxSizeReached,
        Refusal::FencedInstance => ErrorCode::FencedInstanceId,
        Refusal::TooManyGroups | Refusal::NoRoom => ErrorCode::CoordinatorNotAvailable,
        Refusal::GroupNotFound => ErrorCode::GroupIdNotFound,
        Refusal::NonEmptyGroup => ErrorCode::NonEmptyGroup,
        _ => ErrorCode::UnknownServerError,
    }
}
