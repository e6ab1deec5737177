//! The journal's files, open for reading.

use std::{io, sync::Arc};

use foldhash::HashMap;
use parking_lot::RwLock;

use super::vfs::File;

/// Open files by number.
#[derive(Default)]
pub(crate) struct Files(RwLock<HashMap<u32, Arc<dyn File>>>);

impl Files {
    /// Adds a file, or puts another handle in its place.
    pub(crate) fn insert(&self, number: u32, file: Arc<dyn File>) {
        self.0.write().insert(number, file);
    }

    /// The file of that number.
    ///
    /// # Errors
    /// `NotFound` where there is none.
    pub(crate) fn get(&self, number: u32) -> io::Result<Arc<dyn File>> {
        let files = self.0.read();
        files
            .get(&number)
            .cloned()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}
