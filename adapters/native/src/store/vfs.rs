//! The few things that the store asks of a file system; tests put a failing one in its place.

use std::{
    io::{self, IoSlice},
    sync::Arc,
};

use rustix::io::Errno;

/// A directory of journal files.
pub(crate) trait Disk: Send + Sync + 'static {
    /// Makes an empty file, over one of that name, with room for `size` octets where the file
    /// system can give it, and no file where it has none; the name itself is durable after
    /// [`Disk::sync_names`].
    fn create(&self, name: &str, size: u64) -> io::Result<Arc<dyn File>>;
    /// Opens a file that exists.
    fn open(&self, name: &str) -> io::Result<Arc<dyn File>>;
    /// All names, in any order.
    fn names(&self) -> io::Result<Vec<String>>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes names that were created or removed durable.
    fn sync_names(&self) -> io::Result<()>;
    /// Octets that may still be taken, about; `None` where that is not known.
    fn free(&self) -> Option<u64> {
        None
    }
}

/// A file that is read and written at given places.
pub(crate) trait File: Send + Sync + 'static {
    /// Writes from the front of `bufs`; returns the octets written, possibly fewer than given.
    fn write_at(&self, bufs: &[IoSlice<'_>], at: u64) -> io::Result<usize>;
    /// Reads up to `buf.len()` octets; 0 at the end.
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize>;
    /// As [`File::read_at`] where that needs no wait for a device: `WouldBlock` where the first octet
    /// is not in memory, fewer octets where later ones are not.
    fn read_cached_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        self.read_at(buf, at)
    }
    /// Begins to write a stretch to the device, so that a sync has less to wait for. Only a hint.
    fn begin_sync(&self, _at: u64, _length: u64) {}
    /// Makes everything written durable (fdatasync).
    fn sync(&self) -> io::Result<()>;
    /// Takes the space of the first `length` octets for good, by writing zeros where the file system
    /// cannot give it otherwise.
    fn allocate(&self, length: u64) -> io::Result<()>;
    /// Gives the space of a stretch back; it reads as zeros from then on, or as before where the
    /// file system cannot.
    fn punch(&self, at: u64, length: u64) -> io::Result<()>;
    /// Octets in the file.
    fn len(&self) -> io::Result<u64>;
    /// Cuts or extends to `len` octets.
    fn set_len(&self, len: u64) -> io::Result<()>;
}

/// Whether a read waits for what is not in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// It does.
    ForDevice,
    /// It ends with `WouldBlock`.
    Never,
}

impl Wait {
    /// Fails where what comes next would wait.
    pub(crate) fn allow(self) -> io::Result<()> {
        match self {
            Self::ForDevice => Ok(()),
            Self::Never => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

/// Whether it is for want of space: a full disk, or a full quota.
pub(crate) fn is_full(error: &io::Error) -> bool {
    let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
    full.contains(&error.kind())
}

/// Whether it is for want of descriptors or memory: it passes, and says nothing of the file.
pub(crate) fn is_passing(error: &io::Error) -> bool {
    let passing = [Errno::MFILE, Errno::NFILE, Errno::NOMEM];
    Errno::from_io_error(error).is_some_and(|errno| passing.contains(&errno))
}

/// Writes all of `bufs`.
pub(crate) fn write_all_at(
    file: &dyn File,
    mut bufs: &mut [IoSlice<'_>],
    mut at: u64,
) -> io::Result<()> {
    /// Linux takes at most 1,024 slices in one call.
    const SLICES: usize = 1024;
    while !bufs.is_empty() {
        let some = &bufs[..bufs.len().min(SLICES)];
        let written = match file.write_at(some, at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => written,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        at += written as u64;
        IoSlice::advance_slices(&mut bufs, written);
    }
    Ok(())
}

/// Fills `buf` as far as the file reaches; returns the octets read.
pub(crate) fn read_full_at(file: &dyn File, buf: &mut [u8], at: u64) -> io::Result<usize> {
    fill_at(file, buf, at, Wait::ForDevice)
}

/// As [`read_full_at`]; `WouldBlock` where not all of it is in memory and it must not wait.
pub(crate) fn fill_at(file: &dyn File, buf: &mut [u8], at: u64, wait: Wait) -> io::Result<usize> {
    let mut done = 0;
    while done < buf.len() {
        let (rest, from) = (&mut buf[done..], at + done as u64);
        let read = match wait {
            Wait::ForDevice => file.read_at(rest, from),
            Wait::Never => file.read_cached_at(rest, from),
        };
        match read {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}
