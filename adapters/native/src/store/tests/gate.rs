//! A disk that is asked before each step, and refuses what it is told to.

use std::{
    io::{self, IoSlice},
    sync::Arc,
};

use super::{recovery::small, sim::SimDisk};
use crate::store::{
    NativeStore,
    vfs::{Disk, File},
};

/// What is about to be done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Create,
    Open,
    Read,
    Write,
    Remove,
}

type Answer = dyn Fn(Step, &str) -> io::Result<()> + Send + Sync;

/// Stands before another disk.
#[derive(Clone)]
pub(super) struct Gate {
    disk: SimDisk,
    answer: Arc<Answer>,
}

impl Gate {
    /// Asks `answer` before each step, with the file's name.
    pub(super) fn new(
        disk: &SimDisk,
        answer: impl Fn(Step, &str) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let answer = Arc::new(answer);
        let disk = disk.clone();
        Self { disk, answer }
    }

    /// Starts a store behind it.
    pub(super) fn start(&self) -> Arc<NativeStore> {
        NativeStore::start(Arc::new(self.clone()), None, &small()).unwrap()
    }

    fn gated(&self, name: &str, file: Arc<dyn File>) -> Arc<dyn File> {
        Arc::new(Gated {
            gate: self.clone(),
            name: name.to_owned(),
            file,
        })
    }
}

struct Gated {
    gate: Gate,
    name: String,
    file: Arc<dyn File>,
}

impl Disk for Gate {
    fn create(&self, name: &str, size: u64) -> io::Result<Arc<dyn File>> {
        (self.answer)(Step::Create, name)?;
        Ok(self.gated(name, self.disk.create(name, size)?))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        (self.answer)(Step::Open, name)?;
        Ok(self.gated(name, self.disk.open(name)?))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        self.disk.names()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        (self.answer)(Step::Remove, name)?;
        self.disk.remove(name)
    }

    fn sync_names(&self) -> io::Result<()> {
        self.disk.sync_names()
    }

    fn free(&self) -> Option<u64> {
        self.disk.free()
    }
}

impl File for Gated {
    fn write_at(&self, bufs: &[IoSlice<'_>], at: u64) -> io::Result<usize> {
        (self.gate.answer)(Step::Write, &self.name)?;
        self.file.write_at(bufs, at)
    }

    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        (self.gate.answer)(Step::Read, &self.name)?;
        self.file.read_at(buf, at)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        self.file.allocate(length)
    }

    fn punch(&self, at: u64, length: u64) -> io::Result<()> {
        self.file.punch(at, length)
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
}
