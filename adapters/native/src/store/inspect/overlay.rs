//! A disk whose changes stay in memory, so that recovery can run over a store that must not change.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, IoSlice},
    sync::Arc,
};

use parking_lot::Mutex;

use crate::store::vfs::{Disk, File, read_full_at};

/// Another disk as it would be after what was done to this one.
pub(crate) struct Overlay {
    disk: Arc<dyn Disk>,
    files: Mutex<BTreeMap<String, Arc<Patched>>>,
    removed: Mutex<BTreeSet<String>>,
}

impl Overlay {
    pub(crate) fn new(disk: Arc<dyn Disk>) -> Self {
        Self {
            disk,
            files: Mutex::default(),
            removed: Mutex::default(),
        }
    }

    /// The disk below, as it is.
    pub(super) fn below(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Places whose octets were written differently: each held a flipped bit that was mended.
    pub(super) fn changed(&self) -> Vec<(String, u64)> {
        let files = self.files.lock();
        let changed = files.iter().flat_map(|(name, file)| {
            let octets = file.state.lock().octets.keys().copied().collect::<Vec<_>>();
            octets.into_iter().map(|at| (name.clone(), at))
        });
        changed.collect()
    }

    /// Names that were removed.
    pub(super) fn removed(&self) -> Vec<String> {
        self.removed.lock().iter().cloned().collect()
    }
}

impl Disk for Overlay {
    fn create(&self, _: &str, _: u64) -> io::Result<Arc<dyn File>> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let mut files = self.files.lock();
        if let Some(file) = files.get(name) {
            return Ok(file.clone());
        }
        let file = self.disk.open(name)?;
        let patch = Patch {
            length: file.len()?,
            octets: BTreeMap::new(),
        };
        let state = Mutex::new(patch);
        let patched = Arc::new(Patched { file, state });
        files.insert(name.to_owned(), patched.clone());
        Ok(patched)
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let removed = self.removed.lock();
        let mut names = self.disk.names()?;
        names.retain(|name| !removed.contains(name));
        Ok(names)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.removed.lock().insert(name.to_owned());
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        Ok(())
    }
}

struct Patched {
    file: Arc<dyn File>,
    state: Mutex<Patch>,
}

struct Patch {
    length: u64,
    /// Only those that differ from what the file has.
    octets: BTreeMap<u64, u8>,
}

impl File for Patched {
    fn write_at(&self, bufs: &[IoSlice<'_>], at: u64) -> io::Result<usize> {
        let mut place = at;
        for buf in bufs {
            let mut found = vec![0; buf.len()];
            let read = read_full_at(&*self.file, &mut found, place)?;
            let mut state = self.state.lock();
            for (index, octet) in buf.iter().enumerate() {
                let at = place + index as u64;
                if index >= read || found[index] != *octet {
                    state.octets.insert(at, *octet);
                } else {
                    state.octets.remove(&at);
                }
            }
            place += buf.len() as u64;
            state.length = state.length.max(place);
        }
        Ok((place - at) as usize)
    }

    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        let state = self.state.lock();
        let left = usize::try_from(state.length.saturating_sub(at)).unwrap_or(usize::MAX);
        let room = buf.len().min(left);
        let read = self.file.read_at(&mut buf[..room], at)?;
        for (place, octet) in state.octets.range(at..at + read as u64) {
            buf[(place - at) as usize] = *octet;
        }
        Ok(read)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn allocate(&self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn punch(&self, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.state.lock().length)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        state.octets.split_off(&len);
        state.length = len;
        Ok(())
    }
}
