//! Points of the runs that are being read.

use std::{collections::VecDeque, io, sync::Arc};

use parking_lot::Mutex;

use super::{Run, point::Point, remade::points_or_remade};
use crate::store::vfs::File;

/// Points that are kept at most, of 40 octets each: those of 800 MB.
const POINTS: usize = 50_000;
/// Runs whose points are kept at most.
const RUNS: usize = 64;

/// A run's segment and place, which never holds another.
type Place = (u64, u64);

/// The points of runs that were read last, so that a reader who goes on does not read all of them
/// once more each time.
#[derive(Default)]
pub(super) struct PointCache(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// The one used last is at the back.
    runs: VecDeque<(Place, Arc<[Point]>)>,
    points: usize,
}

impl PointCache {
    /// The points of `run`, if they are kept.
    pub(super) fn kept(&self, run: &Run) -> Option<Arc<[Point]>> {
        self.0.lock().touch((run.segment, run.at))
    }

    /// Reads the points of `run`, which lies in `file`, or makes them anew, and keeps them.
    pub(super) fn read(&self, file: &dyn File, run: &Run) -> io::Result<Arc<[Point]>> {
        let points: Arc<[Point]> = points_or_remade(file, run)?.into();
        self.0.lock().keep((run.segment, run.at), points.clone());
        Ok(points)
    }
}

impl Kept {
    fn touch(&mut self, place: Place) -> Option<Arc<[Point]>> {
        let at = self.runs.iter().rposition(|(kept, _)| *kept == place)?;
        let run = self.runs.remove(at)?;
        let points = run.1.clone();
        self.runs.push_back(run);
        Some(points)
    }

    fn keep(&mut self, place: Place, points: Arc<[Point]>) {
        if self.touch(place).is_some() {
            return;
        }
        self.points += points.len();
        self.runs.push_back((place, points));
        while self.runs.len() > 1 && (self.points > POINTS || self.runs.len() > RUNS) {
            if let Some((_, gone)) = self.runs.pop_front() {
                self.points -= gone.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(count: usize) -> Arc<[Point]> {
        let point = Point {
            base: standpipe_core::id::Offset(0),
            at: 0,
            octets: 0,
            latest: 0,
            appended: standpipe_core::id::Millis(0),
        };
        vec![point; count].into()
    }

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let mut kept = Kept::default();
        for at in 0..RUNS as u64 {
            kept.keep((1, at), some(1));
        }
        assert!(kept.touch((1, 0)).is_some());
        kept.keep((2, 0), some(1));
        assert!(kept.touch((1, 1)).is_none());
        assert!(kept.touch((1, 0)).is_some());
        assert_eq!(kept.points, RUNS);
    }

    #[test]
    fn there_are_never_more_points_than_the_limit_unless_one_run_has_them() {
        let mut kept = Kept::default();
        for at in 0..20 {
            kept.keep((1, at), some(POINTS / 4));
            assert!(kept.points <= POINTS);
        }
        kept.keep((2, 0), some(POINTS * 2));
        assert_eq!((kept.runs.len(), kept.points), (1, POINTS * 2));
    }
}
