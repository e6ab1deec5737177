//! Segments that are open for reading.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;

use super::{Run, point::Point, point_cache::PointCache, segment_name};
use crate::store::vfs::{Disk, File, Wait};

/// Files that are kept open at most, besides those that are being read.
const OPEN: usize = 256;

/// A file, and when it was used last.
type Open = (Arc<dyn File>, u64);

/// The file that a run lies in, and the run's points.
pub(super) type Opened = (Arc<dyn File>, Arc<[Point]>);

/// Open files by number; the one that was used longest ago is closed where there are too many.
pub(crate) struct Segments {
    disk: Arc<dyn Disk>,
    open: Mutex<BTreeMap<u64, Open>>,
    clock: AtomicU64,
    points: PointCache,
}

impl Segments {
    pub(crate) fn new(disk: Arc<dyn Disk>) -> Self {
        Self {
            disk,
            open: Mutex::default(),
            clock: AtomicU64::default(),
            points: PointCache::default(),
        }
    }

    /// The file of that number.
    ///
    /// # Errors
    /// `NotFound` where it is gone, and what opening it gives.
    pub(crate) fn get(&self, number: u64) -> io::Result<Arc<dyn File>> {
        let now = self.clock.fetch_add(1, Ordering::Relaxed);
        let mut open = self.open.lock();
        if let Some((file, used)) = open.get_mut(&number) {
            *used = now;
            return Ok(file.clone());
        }
        let file = self.disk.open(&segment_name(number))?;
        if open.len() >= OPEN
            && let Some(oldest) = open.iter().min_by_key(|(_, (_, used))| *used)
        {
            let oldest = *oldest.0;
            open.remove(&oldest);
        }
        open.insert(number, (file.clone(), now));
        Ok(file)
    }

    /// The file that `run` lies in, and the run's points.
    ///
    /// # Errors
    /// As [`Segments::get`], and what reading the points gives; `WouldBlock` where they are not at
    /// hand and it must not wait.
    pub(super) fn run(&self, run: &Run, wait: Wait) -> io::Result<Opened> {
        if let Some(points) = self.points.kept(run) {
            return Ok((self.get(run.segment)?, points));
        }
        wait.allow()?;
        let file = self.get(run.segment)?;
        let points = self.points.read(&*file, run)?;
        Ok((file, points))
    }

    /// Removes the file of that number and closes it.
    ///
    /// # Errors
    /// What removing it gives; it stays open then.
    pub(crate) fn remove(&self, number: u64) -> io::Result<()> {
        self.disk.remove(&segment_name(number))?;
        // Closed last: a reader in between would keep the space of what is gone by opening it again.
        self.open.lock().remove(&number);
        Ok(())
    }
}
