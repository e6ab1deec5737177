//! Who may use a directory: its format version, and one process at a time.

use std::{
    fs,
    io::{self, Read, Seek, Write},
    path::Path,
};

use rustix::{
    fs::FlockOperation,
    process::{Pid, test_kill_process},
};
use standpipe_core::error::{Error, ErrorKind, Result};

const FORMAT: &str = "standpipe-store 2\n";
const OPERATION: &str = "open store";

/// The lock on a directory; held until it is dropped, or the process ends.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "its open handle is the lock")] fs::File);

impl Lock {
    /// Takes the directory for this process.
    ///
    /// # Errors
    /// `Denied` where another process has it, with that one's pid.
    pub(crate) fn take(directory: &Path) -> Result<Self> {
        let path = directory.join("lock");
        let failed = |error: io::Error| {
            let message = format!("cannot lock {}", path.display());
            Error::new(ErrorKind::Permanent, OPERATION, message).with_source(error)
        };
        let mut file = fs::File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(held(directory, &mut file)),
            Err(errno) => return Err(failed(errno.into())),
        }
        // Only a hint for the message above: the lock is the flock. A full disk may not take it.
        let _ = tell_pid(&mut file);
        Ok(Self(file))
    }

    /// Keeps the directory from being opened, for one who only reads it; several may at once.
    /// `None` where no process ever had it.
    ///
    /// # Errors
    /// `Denied` where a process has it, with its pid.
    pub(crate) fn look(directory: &Path) -> Result<Option<Self>> {
        let path = directory.join("lock");
        let failed = |error: io::Error| {
            let message = format!("cannot lock {}", path.display());
            Error::new(ErrorKind::Permanent, OPERATION, message).with_source(error)
        };
        let mut file = match fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(Some(Self(file))),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(held(directory, &mut file)),
            Err(errno) => Err(failed(errno.into())),
        }
    }
}

/// Writes who has the lock over what is there, which takes no space where something is.
fn tell_pid(file: &mut fs::File) -> io::Result<()> {
    let pid = format!("{}\n", std::process::id());
    file.rewind()?;
    file.write_all(pid.as_bytes())?;
    file.set_len(pid.len() as u64)
}

fn held(directory: &Path, file: &mut fs::File) -> Error {
    let mut text = String::new();
    let pid = file.read_to_string(&mut text).ok();
    let pid = pid.and_then(|_| Pid::from_raw(text.trim().parse().ok()?));
    // One who only reads it does not write its pid: the number is the last owner's then.
    let runs = |pid: &Pid| test_kill_process(*pid) != Err(rustix::io::Errno::SRCH);
    let who = match pid.filter(runs) {
        Some(pid) => format!("the process with pid {pid}; stop it or choose another directory"),
        None => "a process whose pid is not known here, perhaps `standpipe store`".into(),
    };
    let message = format!("{} is in use by {who}", directory.display());
    Error::new(ErrorKind::Denied, OPERATION, message)
}

/// Checks the directory's format version, and writes it into a directory that is new.
///
/// # Errors
/// `Unsupported` for a version that this program does not know.
pub(crate) fn check_format(directory: &Path) -> Result<()> {
    let path = directory.join("format");
    let failed = |error: io::Error| {
        let message = format!("cannot use {}", path.display());
        Error::new(ErrorKind::Permanent, OPERATION, message).with_source(error)
    };
    match fs::read(&path) {
        Ok(found) if found == FORMAT.as_bytes() => Ok(()),
        Ok(found) => {
            let found = String::from_utf8_lossy(&found[..found.len().min(64)]).into_owned();
            let message = format!(
                "{} says {found:?}; this program reads {FORMAT:?} only",
                path.display()
            );
            Err(Error::new(ErrorKind::Unsupported, OPERATION, message))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            write_format(directory, &path).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

/// Checks the format version of a directory that should hold a store.
///
/// # Errors
/// `NotFound` where it holds none, `Unsupported` for a version that this program does not know.
pub(crate) fn known_format(directory: &Path) -> Result<()> {
    if !directory.join("format").exists() {
        let message = format!(
            "{} holds no store: it has no file `format`; name the directory that `serve --data` has",
            directory.display()
        );
        return Err(Error::new(ErrorKind::NotFound, OPERATION, message));
    }
    check_format(directory)
}

/// Written aside and renamed, so that a crash leaves the whole of it or nothing.
fn write_format(directory: &Path, path: &Path) -> io::Result<()> {
    let aside = directory.join("format.new");
    let mut file = fs::File::create(&aside)?;
    file.write_all(FORMAT.as_bytes())?;
    file.sync_data()?;
    fs::rename(&aside, path)?;
    fs::File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

    use super::*;

    #[test]
    fn a_second_owner_is_told_the_first_ones_pid() {
        let directory = tempfile::tempdir().unwrap();
        let first = Lock::take(directory.path()).unwrap();
        let refused = Lock::take(directory.path()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Denied);
        let pid = format!("pid {};", std::process::id());
        assert!(refused.message().contains(&pid), "{refused}");
        drop(first);
        Lock::take(directory.path()).unwrap();
    }

    #[test]
    fn a_disk_that_takes_no_pid_keeps_nobody_from_the_lock() {
        let directory = tempfile::tempdir().unwrap();
        let full = memfd_create("full", MemfdFlags::ALLOW_SEALING).unwrap();
        fcntl_add_seals(&full, SealFlags::WRITE | SealFlags::GROW).unwrap();
        let file = format!("/proc/self/fd/{}", full.as_raw_fd());
        std::os::unix::fs::symlink(file, directory.path().join("lock")).unwrap();
        let held = Lock::take(directory.path()).unwrap();
        let refused = Lock::take(directory.path()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Denied);
        drop(held);
    }

    #[test]
    fn an_unknown_format_version_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        check_format(directory.path()).unwrap();
        check_format(directory.path()).unwrap();
        fs::write(directory.path().join("format"), "standpipe-store 3\n").unwrap();
        let refused = check_format(directory.path()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
    }
}
