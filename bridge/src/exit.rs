//! Exit codes, after BSD's sysexits.h, and the failure that carries one to `main`.

use std::{fmt, process::ExitCode};

use standpipe_core::{Error, ErrorKind};

/// What a program's end means to the script that started it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// All was done, or a signal asked for the end and it was a clean one.
    Ok = 0,
    /// The command line is wrong (`EX_USAGE`).
    Usage = 64,
    /// Data that was read is wrong, or does not exist (`EX_DATAERR`).
    Data = 65,
    /// The other end cannot be reached, or went away (`EX_UNAVAILABLE`).
    Unavailable = 69,
    /// The disk fails again and again (`EX_IOERR`).
    Io = 74,
    /// The configuration is wrong (`EX_CONFIG`).
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command ended early: the code for scripts, the message for people.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    /// A failure with the code `exit`; `message` holds the value and the fix.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
        }
    }

    /// A failure of the command line itself.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, message.to_string())
    }

    /// A failure of the configuration.
    pub(crate) fn config(message: impl fmt::Display) -> Self {
        Self::new(Exit::Config, message.to_string())
    }

    /// The code to end with.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// Whether stdout's reader went away, which is no news to anybody.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        self.exit == Exit::Ok
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.message.fmt(f)
    }
}

impl std::error::Error for Failure {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = if is_broken_pipe(&error) {
            Exit::Ok
        } else {
            exit_for(error.kind())
        };
        Self::new(exit, error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        let exit = match error.kind() {
            std::io::ErrorKind::BrokenPipe => Exit::Ok,
            _ => Exit::Data,
        };
        Self::new(exit, error.to_string())
    }
}

fn exit_for(kind: ErrorKind) -> Exit {
    match kind {
        ErrorKind::Unsupported => Exit::Usage,
        ErrorKind::Transient
        | ErrorKind::Throttled
        | ErrorKind::Disconnected
        | ErrorKind::Unknown
        | ErrorKind::Denied
        | ErrorKind::Conflict
        | ErrorKind::Closed => Exit::Unavailable,
        _ => Exit::Data,
    }
}

fn is_broken_pipe(error: &Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            return io.kind() == std::io::ErrorKind::BrokenPipe;
        }
        source = cause.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_is_69_and_bad_data_65() {
        let failure =
            |kind| Failure::from(Error::new(kind, "connect", "127.0.0.1:1 refused")).exit();
        assert_eq!(failure(ErrorKind::Disconnected), Exit::Unavailable);
        assert_eq!(failure(ErrorKind::Invalid), Exit::Data);
    }

    #[test]
    fn a_broken_pipe_below_an_error_is_quiet() {
        let io = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        let error = Error::new(ErrorKind::Disconnected, "write line", "stdout").with_source(io);
        assert!(Failure::from(error).is_broken_pipe());
    }
}
