//! What a producer writes to.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
    sync::Arc,
};

use parking_lot::Mutex;
use standpipe_core::{Error, ErrorKind, Result};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::{format::Format, tail::Tail};

/// Takes lines, a batch at a time.
pub(crate) struct Sink {
    target: Arc<Mutex<Target>>,
    /// Set until a batch is written: its caller may have gone meanwhile.
    under_way: Option<JoinHandle<Result<()>>>,
}

/// Where the lines end up.
pub(crate) enum Target {
    /// stdout: whoever reads it is the one to keep it.
    Standard,
    /// A named pipe or a device: nothing to lock, to sync or to cut back.
    Stream(File),
    /// A regular file, synced before anything counts as confirmed.
    File(Tail),
}

impl Sink {
    pub(crate) fn new(target: Target) -> Self {
        Self {
            target: Arc::new(Mutex::new(target)),
            under_way: None,
        }
    }

    /// Appends `lines`, all of them or none: a file is cut back where writing fails. What is in a
    /// file when this returns survives a crash; stdout's reader is the one to keep it.
    ///
    /// Where a call is dropped, its lines are written all the same, and those of the next call behind
    /// them: never into the middle of one.
    ///
    /// # Errors
    /// `Transient` where a file does not take more, `Unknown` where it cannot be cut back either;
    /// `Closed` where stdout's or the pipe's reader is gone.
    pub(crate) async fn append(&mut self, lines: Vec<u8>) -> Result<()> {
        self.finish().await;
        let target = Arc::clone(&self.target);
        let writing = spawn_blocking(move || target.lock().append(&lines));
        let written = self.under_way.insert(writing).await;
        self.under_way = None;
        written.unwrap_or_else(|panic| {
            let error = Error::new(ErrorKind::Unknown, "write lines", "the writer panicked");
            Err(error.with_source(panic))
        })
    }

    /// Waits for what a dropped call has begun.
    pub(crate) async fn finish(&mut self) {
        if let Some(writing) = &mut self.under_way {
            // Whoever wanted to know how it went is gone.
            drop(writing.await);
            self.under_way = None;
        }
    }
}

impl Target {
    /// Opens what is at `path` for appending lines of `format`; blocks.
    ///
    /// # Errors
    /// As [`Tail::open`].
    pub(crate) fn open(path: &Path, format: Format) -> std::io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        if file.metadata()?.is_file() {
            Tail::open(file, path, format).map(Self::File)
        } else {
            Ok(Self::Stream(file))
        }
    }

    fn append(&mut self, lines: &[u8]) -> Result<()> {
        let (written, gone) = match self {
            Self::File(tail) => return tail.append(lines),
            Self::Stream(file) => (write(file, lines), "nobody reads the pipe any more"),
            Self::Standard => {
                let written = write(&mut std::io::stdout().lock(), lines);
                (written, "nobody reads the output any more")
            }
        };
        written
            .map_err(|error| Error::new(ErrorKind::Closed, "write lines", gone).with_source(error))
    }
}

fn write(writer: &mut impl Write, lines: &[u8]) -> std::io::Result<()> {
    writer.write_all(lines)?;
    writer.flush()
}
