//! Where entries begin in a run: what makes a look-up take one short scan.

use std::io;

use bytes::{Buf, BufMut, BytesMut};
use standpipe_core::{
    checksum::crc32c,
    entry::Entry,
    id::{Millis, Offset},
};

use super::Run;
use crate::store::vfs::{File, read_full_at};

/// Octets of entries from one point to the next, about.
pub(super) const STRETCH: u64 = 16 * 1024;
/// Octets of a point.
pub(super) const POINT: usize = 40;

/// An entry's place, and what the stretch from it to the next point holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) base: Offset,
    /// Octets from the run's start.
    pub(crate) at: u64,
    /// Octets of bodies in the run before it.
    pub(crate) octets: u64,
    /// The latest time that a look-up by time compares, in the stretch.
    pub(crate) latest: i64,
    /// When the entry was appended; those before it were no later.
    pub(crate) appended: Millis,
}

impl Point {
    /// Stands for all points of `run` where they are not known.
    pub(super) fn first(run: &Run) -> Self {
        Self {
            base: run.base,
            at: 0,
            octets: 0,
            latest: i64::MAX,
            appended: Millis(i64::MAX),
        }
    }

    fn put(&self, out: &mut BytesMut) {
        out.put_u64(self.base.0);
        out.put_u64(self.at);
        out.put_u64(self.octets);
        out.put_i64(self.latest);
        out.put_i64(self.appended.0);
    }

    fn take(mut octets: &[u8]) -> Self {
        Self {
            base: Offset(octets.get_u64()),
            at: octets.get_u64(),
            octets: octets.get_u64(),
            latest: octets.get_i64(),
            appended: Millis(octets.get_i64()),
        }
    }
}

/// A run's points as they come about, entry by entry.
#[derive(Debug, Default)]
pub(super) struct Points(Vec<Point>);

impl Points {
    /// Adds an entry that lies `at` octets from the run's start, behind `octets` of bodies.
    #[inline]
    pub(super) fn add(&mut self, entry: &Entry, at: u64, octets: u64) {
        if self.0.last().is_none_or(|point| at - point.at >= STRETCH) {
            self.0.push(Point {
                base: entry.base_offset,
                at,
                octets,
                latest: i64::MIN,
                appended: entry.appended,
            });
        }
        if let Some(point) = self.0.last_mut().filter(|_| entry.draft.visible > 0) {
            point.latest = point.latest.max(entry.time().0);
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.0.len()).expect("a run has fewer than 2^32 points")
    }

    /// As they lie behind the run.
    pub(super) fn encode(&self) -> BytesMut {
        let mut out = BytesMut::with_capacity(self.0.len() * POINT);
        self.0.iter().for_each(|point| point.put(&mut out));
        out
    }

    pub(super) fn into_vec(self) -> Vec<Point> {
        self.0
    }
}

/// A run's points. Where they are damaged, one at its start: a look-up then scans the run.
pub(super) fn points(file: &dyn File, run: &Run) -> io::Result<Vec<Point>> {
    Ok(read_points(file, run)?.unwrap_or_else(|| vec![Point::first(run)]))
}

/// A run's points as they were written; `None` where they are damaged, which is logged.
pub(super) fn read_points(file: &dyn File, run: &Run) -> io::Result<Option<Vec<Point>>> {
    let Some(octets) = whole_points(file, run)? else {
        tracing::error!(
            segment = run.segment,
            at = run.at + run.length,
            "an index is damaged; what it points to is read without it"
        );
        return Ok(None);
    };
    let points = octets.chunks_exact(POINT).map(Point::take);
    Ok(Some(points.collect()))
}

/// The octets of a run's points; `None` where they are damaged.
pub(crate) fn whole_points(file: &dyn File, run: &Run) -> io::Result<Option<Vec<u8>>> {
    let mut octets = vec![0; run.points as usize * POINT];
    let read = read_full_at(file, &mut octets, run.at + run.length)?;
    let whole = read == octets.len() && crc32c(&octets) == run.points_crc;
    Ok(whole.then_some(octets))
}
