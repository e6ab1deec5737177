//! Space that is kept back for the day the disk is full: acks, purges and deletes, which free space,
//! must be written then too.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
};

use super::vfs::Disk;

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

    /// Gives it to whoever writes next; `false` where there is none.
    pub(crate) fn release(&self, disk: &dyn Disk) -> bool {
        self.held.store(false, Ordering::Relaxed);
        disk.remove(NAME).is_ok()
    }
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
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(_) | Err(_) => {}
    }
    let file = disk.create(NAME, 0)?;
    file.allocate(octets)
        .inspect_err(|_| drop(disk.remove(NAME)))
}
