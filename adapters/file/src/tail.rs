//! The end of a file that is appended to.

use std::{
    fs::{File, TryLockError},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use standpipe_core::{Error, ErrorKind, Result};

use crate::{format::Format, lines::LINE_BYTES};

/// How long another writer may hold the file.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked whether the file is free. A busy writer lets go for moments only.
const LOCK_INTERVAL: Duration = Duration::from_millis(10);
/// What Linux calls it where no lock can be had, as on NFS without a lock daemon: `ENOLCK`. The
/// standard library has no kind for it.
const NO_LOCKS: i32 = 37;

/// The end of a regular file, which is locked whenever it is written to: other writers wait, and none
/// of them writes within what another one has begun, or loses it where that is cut back. All of it
/// blocks.
pub(crate) struct Tail {
    file: File,
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
            file,
            reader,
            path: path.to_owned(),
            format,
            whole: 0,
        };
        lock(&tail.file, LOCK_PATIENCE)?;
        let mended = tail.mend();
        unlock(&tail.file);
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
        lock(&self.file, LOCK_PATIENCE).map_err(transient("the file cannot be locked"))?;
        // Whoever had the lock before may have been killed within a line.
        let mended = self.mend();
        let appended = mended
            .map_err(transient("the end of the file cannot be mended"))
            .and_then(|()| self.append_locked(lines));
        unlock(&self.file);
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

/// Waits until nobody else has locked the file, for as long as `patience`: the one who holds it may wait
/// for us. A file system that knows no locks is written to without.
fn lock(file: &File, patience: Duration) -> io::Result<()> {
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) if knows_no_locks(&error) => return Ok(()),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if begun.elapsed() >= patience => {
                let message = format!(
                    "another process has locked the file, and did not let go of it in {patience:?}; \
                     end that process, or write to another file"
                );
                return Err(io::Error::new(io::ErrorKind::TimedOut, message));
            }
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_INTERVAL),
        }
    }
}

/// Whether it says that there is no locking at all, and not that this lock failed.
fn knows_no_locks(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported || error.raw_os_error() == Some(NO_LOCKS)
}

/// Lets the next writer in.
fn unlock(file: &File) {
    if let Err(error) = file.unlock() {
        tracing::debug!(%error, "the file was not locked");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_without_locks_is_told_from_a_lock_that_failed() {
        // ENOLCK, ENOSYS and EOPNOTSUPP; EIO.
        for (code, expected) in [(37, true), (38, true), (95, true), (5, false)] {
            let error = io::Error::from_raw_os_error(code);
            assert_eq!(knows_no_locks(&error), expected, "{error}");
        }
    }

    #[test]
    fn a_file_that_stays_locked_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let (ours, theirs) = (File::create(&path).unwrap(), File::create(&path).unwrap());
        theirs.lock().unwrap();
        let error = lock(&ours, Duration::ZERO).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let text = error.to_string();
        assert!(
            text.contains("another process has locked the file"),
            "{text}"
        );
        drop(theirs);
        lock(&ours, Duration::ZERO).unwrap();
    }
}
