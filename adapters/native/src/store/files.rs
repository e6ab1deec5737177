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

    /// The number of the newest file; 0 where there is none.
    pub(crate) fn newest(&self) -> u32 {
        self.0.read().keys().max().copied().unwrap_or(0)
    }

    /// Takes out the files up to `last`; returns their numbers.
    pub(crate) fn take_up_to(&self, last: u32) -> Vec<u32> {
        let mut files = self.0.write();
        let gone: Vec<_> = files.keys().copied().filter(|n| *n <= last).collect();
        gone.iter().for_each(|number| {
            files.remove(number);
        });
        gone
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
