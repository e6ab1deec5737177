//! What librdkafka's errors mean to a caller.

use rdkafka::{error::KafkaError, types::RDKafkaErrorCode as Code};
use standpipe_core::{Error, ErrorKind};

/// An error of `operation`, of the kind that `cause` asks for.
pub(super) fn failure(operation: &'static str, cause: KafkaError) -> Error {
    let kind = cause
        .rdkafka_error_code()
        .map_or(ErrorKind::Permanent, kind_of_code);
    let message = cause.rdkafka_error_code().map_or_else(
        || "the client refused it".to_owned(),
        |code| format!("{code}"),
    );
    Error::new(kind, operation, message).with_source(cause)
}

/// The same for a message that was handed over: where nobody answered, it may have been applied.
pub(super) fn undelivered(cause: KafkaError) -> Error {
    let error = failure("send", cause.clone());
    match error.kind() {
        ErrorKind::Disconnected if !is_still_here(&cause) => {
            let message = "no broker confirmed it in time";
            Error::new(ErrorKind::Unknown, "send", message).with_source(cause)
        }
        _ => error,
    }
}

/// Whether librdkafka says that the message never left.
fn is_still_here(cause: &KafkaError) -> bool {
    cause.rdkafka_error_code() == Some(Code::PurgeQueue)
}

fn kind_of_code(code: Code) -> ErrorKind {
    match code {
        Code::MessageSizeTooLarge | Code::MessageBatchTooLarge => ErrorKind::TooLarge,
        Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition => {
            ErrorKind::NotFound
        }
        Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::SaslAuthenticationFailed
        | Code::Authentication => ErrorKind::Denied,
        Code::QueueFull | Code::ThrottlingQuotaExceeded => ErrorKind::Throttled,
        Code::NotEnoughReplicas
        | Code::LeaderNotAvailable
        | Code::NotLeaderForPartition
        | Code::CoordinatorLoadInProgress
        | Code::CoordinatorNotAvailable
        | Code::NotCoordinator => ErrorKind::Transient,
        Code::NotEnoughReplicasAfterAppend
        | Code::RebalanceInProgress
        | Code::IllegalGeneration
        | Code::UnknownMemberId => ErrorKind::Unknown,
        Code::InvalidMessage
        | Code::InvalidRecord
        | Code::InvalidTimestamp
        | Code::PolicyViolation
        | Code::InvalidTopic
        | Code::InvalidArgument
        | Code::InvalidRequiredAcks => ErrorKind::Permanent,
        Code::UnsupportedVersion | Code::UnsupportedFeature | Code::UnsupportedForMessageFormat => {
            ErrorKind::Unsupported
        }
        // Time-outs, transport, fencing, and what is fatal to this client: a new one may do better.
        _ => ErrorKind::Disconnected,
    }
}
