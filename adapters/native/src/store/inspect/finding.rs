//! What a check has to say.

use std::{fmt, ops::Range};

use standpipe_core::id::{LogId, Offset};

/// How bad a [`Finding`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Normal after a crash; nothing is wrong.
    Note,
    /// A flipped bit where nothing depends on it.
    Unused,
    /// A flipped bit that is mended when the store is opened or read; nothing is lost.
    Mended,
    /// An index is damaged: what it points to is read without it; nothing is lost.
    Index,
    /// What is not as it was written and cannot be told from what remains; all else is served.
    Lost,
    /// The store does not open with this.
    Closed,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Unused => "unused",
            Self::Mended => "mended",
            Self::Index => "index",
            Self::Lost => "lost",
            Self::Closed => "closed",
        })
    }
}

/// One thing that is not as it was written, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The file's name in the directory; empty where it is about none.
    pub file: String,
    /// Octets from the file's start.
    pub at: Option<u64>,
    /// Whose it is, where that can be told.
    pub log: Option<LogId>,
    /// The offsets that it takes, where there are any.
    pub offsets: Option<Range<Offset>>,
    /// One sentence for a person.
    pub what: String,
}

impl Finding {
    pub(super) fn new(
        severity: Severity,
        file: impl Into<String>,
        what: impl Into<String>,
    ) -> Self {
        Self {
            severity,
            file: file.into(),
            at: None,
            log: None,
            offsets: None,
            what: what.into(),
        }
    }

    pub(super) fn at(mut self, at: u64) -> Self {
        self.at = Some(at);
        self
    }

    pub(super) fn of(mut self, log: LogId, offsets: Range<Offset>) -> Self {
        (self.log, self.offsets) = (Some(log), Some(offsets));
        self
    }

    /// Whether something is wrong, as opposed to a note.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        self.severity > Severity::Note
    }
}
