//! Space that is kept back for the day the disk is full: acks, purges and deletes, which free space,
//! must be written then too.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
};

use standpipe_core::error::Error;

use super::vfs::{Disk, is_full};

const NAME: &str = "reserve";

/// A store's reserve: held, or given to whoever writes next.
#[derive(Debug)]
pub(crate) struct Reserve {
    octets: u64,
    /// Whether it is known to be there: a look takes a descriptor, of which there may be none left.
    held: AtomicBool,
}

impl Reserve {
    pub(crate) fn new(octets: u64) -> Self {
        let held = AtomicBool::new(false);
        Self { octets, held }
    }

    /// Sees to it that it is there.
    ///
    /// # Errors
    /// What making it gives; of all errors, only a want of space says that the disk is full.
    pub(crate) fn hold(&self, disk: &dyn Disk) -> io::Result<()> {
        if !self.held.load(Ordering::Relaxed) {
            take(disk, self.octets)?;
            self.held.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Octets that what moves from log to log may take where it cannot be held: half of it stays, for acks
    /// and for the segment that takes over what was moved. None where the disk says that there is room for
    /// all of it, as one with a quota does: that has just turned out to be wrong.
    pub(crate) fn movable(&self, disk: &dyn Disk) -> u64 {
        let free = disk.free().filter(|free| *free < self.octets);
        free.unwrap_or(0).saturating_sub(self.octets / 2)
    }

    /// Gives it to whoever writes next; `false` where there is none.
    pub(crate) fn release(&self, disk: &dyn Disk) -> bool {
        self.held.store(false, Ordering::Relaxed);
        give_up(disk)
    }
}

/// Removes a store's reserve; `false` where there is none.
pub(super) fn give_up(disk: &dyn Disk) -> bool {
    disk.remove(NAME).is_ok()
}

/// Whether the cause of `error` is want of space, which the reserve may give.
pub(super) fn is_wanted(error: &Error) -> bool {
    let cause = std::error::Error::source(error);
    let cause = cause.and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(is_full)
}

/// Whether there may be a reserve to release.
pub(super) fn may_be_held(disk: &dyn Disk) -> bool {
    match disk.open(NAME).and_then(|file| file.len()) {
        // One that has no space yet may never get it.
        Ok(length) => length > 0,
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

fn take(disk: &dyn Disk, octets: u64) -> io::Result<()> {
    match disk.open(NAME).and_then(|file| file.len()) {
        Ok(length) if length == octets => return Ok(()),
        // What was begun takes space that is missed below.
        Ok(_) => disk.remove(NAME)?,
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Err(_) => {}
    }
    // In vain it would take all that is left for a moment, and a write beside it would find nothing.
    if disk.free().is_some_and(|free| free < octets) {
        return Err(io::ErrorKind::StorageFull.into());
    }
    let file = disk.create(NAME, 0)?;
    file.allocate(octets)
        .inspect_err(|_| drop(disk.remove(NAME)))
}
