//! The journal's next file, which is made before it is needed: the writer does not wait for it.

use std::{io, sync::Arc, thread::JoinHandle};

use super::{
    header::FileId,
    position::journal_name,
    reserve,
    vfs::{Disk, File, is_full, write_all_at},
};

/// One file that is being made, or is ready, at most.
#[derive(Default)]
pub(crate) struct Ahead(Option<(FileId, JoinHandle<Result<Made, MakeError>>)>);

/// A file that has its name, its space where there is any, and its id, all synced.
pub(crate) type Made = Arc<dyn File>;

/// What a file could not be made for.
pub(crate) enum MakeError {
    /// It can be tried again.
    Write(io::Error),
    /// It cannot.
    Sync(io::Error),
}

impl Ahead {
    /// Begins to make the file `id`, unless it was begun already.
    pub(crate) fn begin(&mut self, disk: &Arc<dyn Disk>, id: FileId, size: u32) {
        if self.0.is_some() {
            return;
        }
        let disk = disk.clone();
        let thread = std::thread::Builder::new().name("next journal file".into());
        let making = thread.spawn(move || make_sized(&*disk, id, &id.encode(), size));
        // Where there is no thread to be had, the writer makes the file when it needs it.
        self.0 = making.ok().map(|making| (id, making));
    }

    /// Waits for the file `id` where it was begun; `None` where it has to be made.
    pub(crate) fn take(&mut self, id: FileId) -> Option<Result<Made, MakeError>> {
        let (begun, making) = self.0.take()?;
        let made = making.join().ok()?;
        (begun == id).then_some(made)
    }

    /// Removes the file that was not needed.
    pub(crate) fn discard(&mut self, disk: &dyn Disk) {
        if let Some((id, making)) = self.0.take() {
            // Whatever came of it: what is left goes when the store is opened.
            drop(making.join());
            drop(disk.remove(&journal_name(id.number)));
        }
    }
}

/// Makes the file `id`, which begins with `octets`, and syncs it and its name. Where there is neither
/// space for `size` octets nor a reserve to release, it grows: an ack, which frees space, is small.
pub(crate) fn make(
    disk: &dyn Disk,
    id: FileId,
    octets: &[u8],
    size: u32,
) -> Result<Made, MakeError> {
    match make_sized(disk, id, octets, size) {
        Err(MakeError::Write(error)) if is_full(&error) && !reserve::may_be_held(disk) => {
            make_sized(disk, id, octets, 0)
        }
        made => made,
    }
}

fn make_sized(disk: &dyn Disk, id: FileId, octets: &[u8], size: u32) -> Result<Made, MakeError> {
    let made = disk.create(&journal_name(id.number), size.into());
    let file = made.map_err(MakeError::Write)?;
    let written = write_all_at(&*file, &mut [io::IoSlice::new(octets)], 0);
    written.map_err(MakeError::Write)?;
    let synced = file.sync().and_then(|()| disk.sync_names());
    synced.map_err(MakeError::Sync)?;
    Ok(file)
}
