//! The lock by which writers of one file take turns.

use std::{
    fs::{File, TryLockError},
    io,
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::Duration,
};

/// What Linux calls it where no lock can be had, as on NFS without a lock daemon: `ENOLCK`. The
/// standard library has no kind for it.
const NO_LOCKS: i32 = 37;

/// A lock of the whole file. A file system that knows no locks is written to without.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    /// The turn that is still waited for: one who only looks now and then hardly ever comes to it beside a
    /// busy writer.
    waiting: Option<Receiver<io::Result<()>>>,
}

impl Lock {
    /// Of `file`, by a handle that it shares.
    ///
    /// # Errors
    /// Where there are no handles left.
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        Ok(Self {
            file: file.try_clone()?,
            waiting: None,
        })
    }

    /// Waits until nobody else has locked the file, for as long as `patience`: the one who holds it may
    /// wait for us. Its turn is kept for the next call. Blocks.
    ///
    /// # Errors
    /// What the system said; `TimedOut` where somebody else keeps it.
    pub(crate) fn take(&mut self, patience: Duration) -> io::Result<()> {
        let waiting = match self.waiting.take() {
            Some(waiting) => waiting,
            None => match self.file.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::Error(error)) if knows_no_locks(&error) => return Ok(()),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) => wait(self.file.try_clone()?)?,
            },
        };
        match waiting.recv_timeout(patience) {
            Ok(locked) => locked,
            Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("nobody waits for a lock")),
            Err(RecvTimeoutError::Timeout) => {
                self.waiting = Some(waiting);
                let message = format!(
                    "another process has locked the file, and did not let go of it in {patience:?}; \
                     end that process, or write to another file"
                );
                Err(io::Error::new(io::ErrorKind::TimedOut, message))
            }
        }
    }

    /// Lets the next writer in.
    pub(crate) fn release(&self) {
        release(&self.file);
    }
}

/// Waits in a thread of its own, since the system knows no wait that ends. Once nobody waits for it any
/// more, it lets the next one in.
fn wait(file: File) -> io::Result<Receiver<io::Result<()>>> {
    let (sender, receiver) = channel();
    thread::Builder::new()
        .name("file lock".into())
        .spawn(move || {
            if sender.send(locked(&file)).is_err() {
                release(&file);
            }
        })?;
    Ok(receiver)
}

fn locked(file: &File) -> io::Result<()> {
    loop {
        match file.lock() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if knows_no_locks(&error) => return Ok(()),
            locked => return locked,
        }
    }
}

fn release(file: &File) {
    if let Err(error) = file.unlock() {
        tracing::debug!(%error, "the file was not locked");
    }
}

/// Whether it says that there is no locking at all, and not that this lock failed.
fn knows_no_locks(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported || error.raw_os_error() == Some(NO_LOCKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_file_system_without_locks_is_told_from_a_lock_that_failed() {
        // ENOLCK, ENOSYS and EOPNOTSUPP; EIO.
        for (code, expected) in [(37, true), (38, true), (95, true), (5, false)] {
            let error = io::Error::from_raw_os_error(code);
            assert_eq!(knows_no_locks(&error), expected, "{error}");
        }
    }

    #[test]
    fn a_file_that_stays_locked_is_given_up_and_its_turn_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let open = || Lock::of(&File::create(&path).unwrap()).unwrap();
        let (mut ours, mut theirs, mut last) = (open(), open(), open());
        theirs.take(LONG).unwrap();
        let error = ours.take(Duration::ZERO).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let text = error.to_string();
        assert!(
            text.contains("another process has locked the file"),
            "{text}"
        );
        drop(theirs);
        ours.take(LONG).unwrap();
        assert!(last.take(Duration::ZERO).is_err(), "it is ours");
        ours.release();
        last.take(LONG).unwrap();
    }

    #[test]
    fn a_turn_that_nobody_waits_for_any_more_goes_to_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let open = || Lock::of(&File::create(&path).unwrap()).unwrap();
        let (mut holder, mut gone, mut next) = (open(), open(), open());
        holder.take(LONG).unwrap();
        gone.take(Duration::ZERO).unwrap_err();
        drop(gone);
        holder.release();
        next.take(LONG).unwrap();
    }
}
