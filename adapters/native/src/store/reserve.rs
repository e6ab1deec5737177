//! Space that is kept back for the day the disk is full: acks, purges and deletes, which free space,
//! must be written then too.

use std::io;

use super::vfs::Disk;

const NAME: &str = "reserve";

/// Sees to it that there are `octets` in reserve.
pub(crate) fn hold(disk: &dyn Disk, octets: u64) -> io::Result<()> {
    if disk.open(NAME).and_then(|file| file.len()).ok() == Some(octets) {
        return Ok(());
    }
    let file = disk.create(NAME, 0)?;
    file.allocate(octets)
        .inspect_err(|_| drop(disk.remove(NAME)))
}

/// Gives the reserve to whoever writes next; `false` where there is none.
pub(crate) fn release(disk: &dyn Disk) -> bool {
    disk.remove(NAME).is_ok()
}
