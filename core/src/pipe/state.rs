//! What a pipe is doing, by name.

use std::{fmt, time::SystemTime};

/// A pipe is always in one of these.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum State {
    /// Everything is carried; nothing waits at the source.
    #[default]
    Idle,
    /// Messages are on their way.
    Flowing,
    /// The destination or a policy holds messages back.
    Blocked {
        /// By what.
        why: String,
    },
    /// Something failed and is tried again.
    Retrying {
        /// What failed.
        why: String,
        /// Since when nothing of it succeeded.
        since: SystemTime,
    },
    /// It has ended, and does not go on by itself.
    Stopped {
        /// Why.
        why: String,
    },
}

impl State {
    /// The state's name: `idle`, `flowing`, `blocked`, `retrying` or `stopped`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Flowing => "flowing",
            Self::Blocked { .. } => "blocked",
            Self::Retrying { .. } => "retrying",
            Self::Stopped { .. } => "stopped",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Blocked { why } | Self::Retrying { why, .. } | Self::Stopped { why } => {
                write!(f, " ({why})")
            }
            Self::Idle | Self::Flowing => Ok(()),
        }
    }
}
