//! The end of a file that is appended to.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use standpipe_core::{Error, ErrorKind, Result};

use crate::{format::Format, lines::LINE_BYTES, lock::Lock};

/// How long another writer may hold the file.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// The end of a regular file, which is locked whenever it is written to: other writers wait, and none
/// of them writes within what another one has begun, or loses it where that is cut back. All of it
/// blocks.
pub(crate) struct Tail {
    file: File,
    lock: Lock,
    /// A handle of its own; `None` where the file was empty and may not be read.
    reader: Option<File>,
    path: PathBuf,
    format: Format,
    /// The length up to which all lines are known to be whole.
    whole: u64,
}

impl Tail {
    /// Ends the last line of `file`, so that the next one does not go on with it. An envelope that is
    /// not whole is cut off: a crash came between, so it was not confirmed and is sent again.
    ///
    /// # Errors
    /// What the system said; `InvalidData` where an envelope would be longer than any that is read;
    /// `TimedOut` where somebody else keeps the file locked.
    pub(crate) fn open(file: File, path: &Path, format: Format) -> io::Result<Self> {
        let reader = match File::open(path) {
            Err(error)
                if error.kind() == io::ErrorKind::PermissionDenied
                    && file.metadata()?.len() == 0 =>
            {
                None
            }
            opened => Some(opened?),
        };
        let mut tail = Self {
            lock: Lock::of(&file)?,
            file,
            reader,
            path: path.to_owned(),
            format,
            whole: 0,
        };
        tail.lock.take(LOCK_PATIENCE)?;
        let mended = tail.mend();
        tail.lock.release();
        mended.map(|()| tail)
    }

    /// Appends `lines` as one piece, and syncs them; where that fails, the file is cut back to what
    /// was there before.
    ///
    /// # Errors
    /// `Transient` where the file does not take more or stays locked, `Unknown` where it cannot be
    /// cut back either.
    pub(crate) fn append(&mut self, lines: &[u8]) -> Result<()> {
        let transient = |message| move |error| failed(ErrorKind::Transient, message, error);
        let locked = self.lock.take(LOCK_PATIENCE);
        locked.map_err(transient("the file cannot be locked"))?;
        // Whoever had the lock before may have been killed within a line.
        let mended = self.mend();
        let appended = mended
            .map_err(transient("the end of the file cannot be mended"))
            .and_then(|()| self.append_locked(lines));
        self.lock.release();
        appended
    }

    fn append_locked(&mut self, lines: &[u8]) -> Result<()> {
        let written = self.file.write_all(lines);
        let Err(error) = written.and_then(|()| self.file.sync_data()) else {
            self.whole += lines.len() as u64;
            return Ok(());
        };
        Err(match self.file.set_len(self.whole) {
            Ok(()) => failed(ErrorKind::Transient, "the file does not take more", error),
            Err(_) => failed(ErrorKind::Unknown, "the file may have taken a part", error),
        })
    }

    /// Ends the last line where others wrote since the last look.
    fn mend(&mut self) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        if length != self.whole {
            self.whole = self.mended(length)?;
        }
        Ok(())
    }

    /// The length of the file behind its mended end.
    fn mended(&mut self, length: u64) -> io::Result<u64> {
        let Some(reader) = self.reader.as_mut().filter(|_| length > 0) else {
            return Ok(length);
        };
        reader.seek(SeekFrom::Start(length - 1))?;
        let mut last = [0];
        reader.read_exact(&mut last)?;
        if last == *b"\n" {
            return Ok(length);
        }
        if self.format == Format::Envelope {
            let line = last_line(reader, length)?;
            if is_torn(&line) {
                let (path, bytes) = (self.path.display(), line.len());
                tracing::warn!(%path, bytes, "the file ends within an envelope, which is cut off");
                let whole = length - bytes as u64;
                return self.file.set_len(whole).map(|()| whole);
            }
        }
        self.file.write_all(b"\n").map(|()| length + 1)
    }
}

/// Whether it is an envelope that was begun and not finished, or what a power cut leaves of one: zeros.
/// What is whole is left alone, whoever wrote it.
fn is_torn(line: &[u8]) -> bool {
    let begun = || serde_json::from_slice::<serde_json::Value>(line);
    line.ends_with(&[0]) || (line.starts_with(b"{") && begun().is_err_and(|error| error.is_eof()))
}

/// What is behind the last line break of a file of `length`.
fn last_line(reader: &mut File, length: u64) -> io::Result<Vec<u8>> {
    let start = length.saturating_sub(LINE_BYTES as u64);
    reader.seek(SeekFrom::Start(start))?;
    let mut line = Vec::new();
    reader.take(length - start).read_to_end(&mut line)?;
    match line.iter().rposition(|byte| *byte == b'\n') {
        Some(at) => Ok(line.split_off(at + 1)),
        None if start == 0 => Ok(line),
        None => {
            let message = format!("its last line is longer than the limit of {LINE_BYTES} bytes");
            Err(io::Error::new(io::ErrorKind::InvalidData, message))
        }
    }
}

fn failed(kind: ErrorKind, message: &'static str, error: io::Error) -> Error {
    Error::new(kind, "write lines", message).with_source(error)
}
