//! Where entries begin in a run: what makes a look-up take one short scan.

use bytes::{Buf, BufMut, BytesMut};
use standpipe_core::{
    checksum::crc32c,
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
    pub(super) fn put(&self, out: &mut BytesMut) {
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

/// A run's points. Where they are damaged, one at its start: a look-up then scans the run.
pub(crate) fn points(file: &dyn File, run: &Run) -> std::io::Result<Vec<Point>> {
    if let Some(octets) = whole_points(file, run)? {
        return Ok(octets.chunks_exact(POINT).map(Point::take).collect());
    }
    tracing::error!(
        segment = run.segment,
        at = run.at + run.length,
        "an index is damaged; what it points to is read without it"
    );
    Ok(vec![Point {
        base: run.base,
        at: 0,
        octets: 0,
        latest: i64::MAX,
        appended: Millis(i64::MAX),
    }])
}

/// The octets of a run's points; `None` where they are damaged.
pub(crate) fn whole_points(file: &dyn File, run: &Run) -> std::io::Result<Option<Vec<u8>>> {
    let mut octets = vec![0; run.points as usize * POINT];
    let read = read_full_at(file, &mut octets, run.at + run.length)?;
    let whole = read == octets.len() && crc32c(&octets) == run.points_crc;
    Ok(whole.then_some(octets))
}
