//! Dead letters: what could not be sent, with the reasons in headers.

use crate::{
    error::Error,
    id::Millis,
    message::{Message, Value},
};

/// Headers that a dead letter carries beside its own.
const REASON: &str = "x-standpipe-dead-reason";
const ERROR: &str = "x-standpipe-dead-error";
const ROUTE: &str = "x-standpipe-dead-route";
const TIME: &str = "x-standpipe-dead-time";
const ATTEMPTS: &str = "x-standpipe-dead-attempts";

/// Adds why, where and when `message` failed. Its own payload, key and headers stay as they are.
pub(super) fn label(
    mut message: Message,
    error: &Error,
    attempts: u32,
    route: &str,
    now: Millis,
) -> Message {
    let reason = format!("{:?}", error.kind());
    message.headers.set(REASON, reason.as_str());
    message.headers.set(ERROR, error.to_string().as_str());
    message.headers.set(ROUTE, route);
    message.headers.set(TIME, Value::Timestamp(now));
    message.headers.set(ATTEMPTS, Value::U32(attempts));
    message
}
