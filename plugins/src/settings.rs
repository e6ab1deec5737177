//! What all transforms share.

use std::time::Duration;

/// Limits and waits of transforms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Bytes that a line from a child, and all that a child or a jq expression makes of a message,
    /// may have. An envelope is longer than its message: base64 adds a third, escapes more.
    pub output_bytes: usize,
    /// Messages that a child may make of one.
    pub child_messages: usize,
    /// A child that has answered nothing for so long, with messages outstanding, has its input
    /// closed, so that it writes what it buffers; a fresh one follows.
    pub quiet: Duration,
    /// How long a child may neither read nor write with input left, and stay silent after its input
    /// was closed; and how long a jq expression may work on one batch.
    pub patience: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            output_bytes: 64 << 20,
            child_messages: 100_000,
            quiet: Duration::from_millis(100),
            patience: Duration::from_secs(30),
        }
    }
}
