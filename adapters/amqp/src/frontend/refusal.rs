//! Why something is refused, in AMQP's terms: a reply code, a text, and what it closes.

use standpipe_core::{Error, ErrorKind};

/// What a refusal closes (specification 1.4.2: soft errors close the channel, hard ones the connection).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closes {
    Channel,
    Connection,
    /// The socket, without a word: the text is for our log.
    Socket,
}

/// A refusal with RabbitMQ's reply code and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: u16,
    /// Begins with the code's name, as RabbitMQ's texts do.
    pub(super) text: String,
    pub(super) closes: Closes,
}

macro_rules! refusals {
    ($($name:ident $code:literal $label:literal $closes:ident)*) => {
        impl Refusal {
            $(
                pub(super) fn $name(text: impl std::fmt::Display) -> Self {
                    Self {
                        code: $code,
                        text: format!(concat!($label, " - {}"), text),
                        closes: Closes::$closes,
                    }
                }
            )*
        }
    };
}

refusals! {
    access_refused 403 "ACCESS_REFUSED" Channel
    not_found 404 "NOT_FOUND" Channel
    resource_locked 405 "RESOURCE_LOCKED" Channel
    precondition_failed 406 "PRECONDITION_FAILED" Channel
    not_implemented_here 540 "NOT_IMPLEMENTED" Channel
    internal_here 541 "INTERNAL_ERROR" Channel
    forced 320 "CONNECTION_FORCED" Connection
    login_refused 403 "ACCESS_REFUSED" Connection
    frame_error 501 "FRAME_ERROR" Connection
    syntax_error 502 "SYNTAX_ERROR" Connection
    command_invalid 503 "COMMAND_INVALID" Connection
    channel_error 504 "CHANNEL_ERROR" Connection
    unexpected_frame 505 "UNEXPECTED_FRAME" Connection
    resource_error 506 "RESOURCE_ERROR" Connection
    not_allowed 530 "NOT_ALLOWED" Connection
    not_implemented 540 "NOT_IMPLEMENTED" Connection
}

impl Refusal {
    /// The same, untold.
    pub(super) fn untold(self) -> Self {
        Self {
            closes: Closes::Socket,
            ..self
        }
    }
}

impl From<Error> for Refusal {
    /// The broker's errors carry the text; their kind chooses the code.
    fn from(error: Error) -> Self {
        let text = error.message();
        match error.kind() {
            ErrorKind::NotFound => Self::not_found(text),
            ErrorKind::Denied => Self::access_refused(text),
            ErrorKind::Exists | ErrorKind::Invalid | ErrorKind::TooLarge | ErrorKind::Conflict => {
                Self::precondition_failed(text)
            }
            ErrorKind::Unsupported => Self::not_implemented_here(text),
            ErrorKind::Closed => {
                Self::forced("broker forced connection closure with reason 'shutdown'")
            }
            _ => Self::internal_here(error),
        }
    }
}

/// What handlers return.
pub(super) type Handled<T = ()> = Result<T, Refusal>;
