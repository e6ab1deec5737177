//! Where the bytes are.

use std::path::PathBuf;

use standpipe_core::{Error, ErrorKind, Result};
use tokio::{
    fs::{File, OpenOptions},
    io::{AsyncRead, AsyncWrite},
};

/// A file, or the process's standard streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// stdin or stdout.
    Standard,
    /// A file or a named pipe.
    Path(PathBuf),
}

/// What a producer writes to.
pub(crate) enum Sink {
    /// stdout: whoever reads it is the one to keep it.
    Standard(tokio::io::Stdout),
    /// A file, synced before anything counts as confirmed.
    File(File),
}

impl Place {
    /// Opens for reading.
    ///
    /// # Errors
    /// `NotFound` or `Denied` with the path.
    pub(crate) async fn reader(&self) -> Result<Box<dyn AsyncRead + Send + Unpin>> {
        match self {
            Self::Standard => Ok(Box::new(tokio::io::stdin())),
            Self::Path(path) => {
                let file = File::open(path).await;
                Ok(Box::new(file.map_err(|error| self.failed(error))?))
            }
        }
    }

    /// Opens for appending; a file that is not there is created.
    ///
    /// # Errors
    /// `NotFound` or `Denied` with the path.
    pub(crate) async fn sink(&self) -> Result<Sink> {
        match self {
            Self::Standard => Ok(Sink::Standard(tokio::io::stdout())),
            Self::Path(path) => {
                let mut options = OpenOptions::new();
                let file = options.append(true).create(true).open(path).await;
                Ok(Sink::File(file.map_err(|error| self.failed(error))?))
            }
        }
    }

    fn failed(&self, error: std::io::Error) -> Error {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            std::io::ErrorKind::PermissionDenied => ErrorKind::Denied,
            _ => ErrorKind::Transient,
        };
        Error::new(kind, "open file", format!("cannot open {self}")).with_source(error)
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Standard => f.write_str("standard input or output"),
            Self::Path(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Sink {
    /// Where to write.
    pub(crate) fn writer(&mut self) -> &mut (dyn AsyncWrite + Send + Unpin) {
        match self {
            Self::Standard(stdout) => stdout,
            Self::File(file) => file,
        }
    }

    /// Makes what was written and flushed survive a crash, where that is ours to do.
    pub(crate) async fn sync(&mut self) -> std::io::Result<()> {
        match self {
            Self::Standard(_) => Ok(()),
            Self::File(file) => match file.sync_data().await {
                // A named pipe or a terminal has nothing to sync.
                Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => Ok(()),
                end => end,
            },
        }
    }
}
