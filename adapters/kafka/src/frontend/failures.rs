//! What fails of a request: one line in the log, however much a request names.

use std::fmt::Display;

use standpipe_core::Error;
use tracing::Level;

/// Counts failures and keeps the first; the line is written when this is dropped.
#[derive(Debug)]
pub(super) struct Failures {
    level: Level,
    line: &'static str,
    count: usize,
    first: String,
}

impl Failures {
    /// None yet; `line` says what has failed, for people to look at when they have time.
    pub(super) fn new(line: &'static str) -> Self {
        Self::at(Level::WARN, line)
    }

    /// The same for people to look at now.
    pub(super) fn grave(line: &'static str) -> Self {
        Self::at(Level::ERROR, line)
    }

    fn at(level: Level, line: &'static str) -> Self {
        Self {
            level,
            line,
            count: 0,
            first: String::new(),
        }
    }

    /// One more; `what` says with which of the things named.
    pub(super) fn add(&mut self, what: impl Display, error: &Error) {
        if self.count == 0 {
            self.first = format!("{what}: {error}");
        }
        self.count += 1;
    }
}

impl Drop for Failures {
    fn drop(&mut self) {
        let (line, count, first) = (self.line, self.count, &self.first);
        if count == 0 {
            return;
        }
        if self.level == Level::ERROR {
            tracing::error!(count, %first, "{line}");
        } else {
            tracing::warn!(count, %first, "{line}");
        }
    }
}
