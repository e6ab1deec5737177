//! Where the bytes are.

use std::path::PathBuf;

use standpipe_core::{Error, ErrorKind, Result};
use tokio::{
    fs::{File, OpenOptions},
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
};

use crate::{format::Format, tail::mend};

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

    /// Opens for appending lines of `format`; a file that is not there is created, and one that
    /// ends within a line is mended.
    ///
    /// # Errors
    /// `NotFound`, `Denied` or `Permanent` with the path; `Denied` also where the file's end may
    /// not be read.
    pub(crate) async fn sink(&self, format: Format) -> Result<Sink> {
        match self {
            Self::Standard => Ok(Sink::Standard(tokio::io::stdout())),
            Self::Path(path) => {
                let mut options = OpenOptions::new();
                let file = options.append(true).create(true).open(path).await;
                let mut file = file.map_err(|error| self.failed(error))?;
                let mended = mend(&mut file, path, format).await;
                mended.map_err(|error| self.failed(error))?;
                Ok(Sink::File(file))
            }
        }
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

impl Sink {
    /// Appends `lines`, all of them or none: a file is cut back where writing fails. What is in a
    /// file when this returns survives a crash; stdout's reader is the one to keep it.
    ///
    /// # Errors
    /// `Transient` where a file does not take more, `Unknown` where it cannot be cut back either;
    /// `Closed` where stdout's reader is gone.
    pub(crate) async fn append(&mut self, lines: &[u8]) -> Result<()> {
        match self {
            Self::Standard(stdout) => write(stdout, lines).await.map_err(|error| {
                let message = "nobody reads the output any more";
                Error::new(ErrorKind::Closed, "write lines", message).with_source(error)
            }),
            Self::File(file) => append_to_file(file, lines).await,
        }
    }
}

async fn append_to_file(file: &mut File, lines: &[u8]) -> Result<()> {
    let failed =
        |kind, message, error| Err(Error::new(kind, "write lines", message).with_source(error));
    let before = match file.metadata().await {
        Ok(metadata) => metadata.is_file().then_some(metadata.len()),
        Err(error) => return failed(ErrorKind::Transient, "the file is gone", error),
    };
    let written = async {
        write(file, lines).await?;
        // A named pipe or a device has nothing to sync.
        if before.is_some() {
            file.sync_data().await
        } else {
            Ok(())
        }
    };
    let Err(error) = written.await else {
        return Ok(());
    };
    let Some(length) = before else {
        return failed(ErrorKind::Closed, "nobody reads the pipe any more", error);
    };
    match file.set_len(length).await {
        Ok(()) => failed(ErrorKind::Transient, "the file does not take more", error),
        Err(_) => failed(ErrorKind::Unknown, "the file may have taken a part", error),
    }
}

async fn write(writer: &mut (impl AsyncWrite + Unpin), lines: &[u8]) -> std::io::Result<()> {
    writer.write_all(lines).await?;
    writer.flush().await
}
