//! The one error type: what the caller must do, and what a person must read.

use std::fmt;

/// What the caller must do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Nothing was applied; trying again later may work.
    Transient,
    /// Nothing was applied because a rate or capacity limit was hit; slow down.
    Throttled,
    /// The peer is gone; connect again first.
    Disconnected,
    /// May or may not have been applied; trying again may duplicate.
    Unknown,
    /// Trying the same again will fail the same way.
    Permanent,
    /// This end does not implement what was asked.
    Unsupported,
    /// What was named does not exist.
    NotFound,
    /// What was to be created is already there, and differs.
    Exists,
    /// Held by another owner, or forbidden.
    Denied,
    /// A compare-and-set or an epoch check lost against another writer.
    Conflict,
    /// A documented limit was exceeded.
    TooLarge,
    /// The caller's input is malformed.
    Invalid,
    /// Stored bytes are damaged.
    Corrupt,
    /// The store or broker is closed.
    Closed,
}

impl ErrorKind {
    /// Whether sending the same thing again can succeed without anything else changing.
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::Transient | Self::Throttled | Self::Disconnected | Self::Unknown
        )
    }
}

/// An error: a kind to act on, the operation that failed, a message with the value and the fix.
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
    operation: &'static str,
    message: String,
    source: Option<std::sync::Arc<dyn std::error::Error + Send + Sync>>,
}

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Makes an error of `kind` for `operation`; `message` holds the value and the fix.
    pub fn new(kind: ErrorKind, operation: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            operation,
            message: message.into(),
            source: None,
        }
    }

    /// Attaches the cause.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into().into());
        self
    }

    /// What the caller must do.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The operation that failed, as a short verb phrase.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// The message without the operation and the source.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.operation, self.message)?;
        if let Some(source) = &self.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn std::error::Error + 'static))
    }
}
