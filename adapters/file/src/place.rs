//! Where the bytes are.

use std::path::PathBuf;

use standpipe_core::{Error, ErrorKind, Result};
use tokio::{fs::File, io::AsyncRead, task::spawn_blocking};

use crate::{
    format::Format,
    sink::{Sink, Target},
};

/// A file, or the process's standard streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// stdin or stdout.
    Standard,
    /// A file or a named pipe.
    Path(PathBuf),
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

    /// Opens for appending lines of `format`; a file that is not there is created, and one that
    /// ends within a line is mended once nobody else has locked it.
    ///
    /// # Errors
    /// `NotFound`, `Denied` or `Permanent` with the path; `Denied` also where the file's end may
    /// not be read, `Transient` where the file stays locked.
    pub(crate) async fn sink(&self, format: Format) -> Result<Sink> {
        let path = match self {
            Self::Standard => return Ok(Sink::new(Target::Standard)),
            Self::Path(path) => path.clone(),
        };
        let opened = spawn_blocking(move || Target::open(&path, format)).await;
        let opened = opened.unwrap_or_else(|panic| Err(panic.into()));
        opened.map(Sink::new).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: std::io::Error) -> Error {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            std::io::ErrorKind::PermissionDenied => ErrorKind::Denied,
            std::io::ErrorKind::IsADirectory | std::io::ErrorKind::InvalidData => {
                ErrorKind::Permanent
            }
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
