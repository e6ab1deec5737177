//! A log's runs in segments, in order.

use std::collections::VecDeque;

use standpipe_core::{id::Offset, ranges::Ranges};

use super::segment::Run;

/// Runs by offset; they do not overlap, and where there is a gap it was forgotten.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    runs: VecDeque<Run>,
    octets: u64,
}

impl Runs {
    /// Adds a run, wherever it belongs. Where others lie over the same offsets, the one in the newest
    /// segment holds what is still needed of them; returns those that are superseded.
    pub(crate) fn add(&mut self, run: Run) -> Vec<Run> {
        let first = self.runs.partition_point(|other| other.end <= run.base);
        let behind = self.runs.partition_point(|other| other.base < run.end);
        let others = first..behind.max(first);
        if self
            .runs
            .range(others.clone())
            .any(|other| other.segment >= run.segment)
        {
            return vec![run];
        }
        let superseded: Vec<_> = self.runs.drain(others).collect();
        self.octets += run.octets;
        self.runs.insert(first, run);
        self.count_out(superseded)
    }

    /// Takes out exactly this run; `false` where it is not there any more.
    pub(crate) fn remove(&mut self, run: &Run) -> bool {
        let place = self.runs.iter().position(|other| other == run);
        let gone = place.and_then(|place| self.runs.remove(place));
        self.count_out(gone.into_iter().collect()).len() == 1
    }

    /// The run that covers `offset`, or the next one.
    pub(crate) fn at_or_behind(&self, offset: Offset) -> Option<&Run> {
        let place = self.runs.partition_point(|run| run.end <= offset);
        self.runs.get(place)
    }

    /// Takes the runs that end at or below `start`.
    pub(crate) fn trim(&mut self, start: Offset) -> Vec<Run> {
        let gone = self.runs.partition_point(|run| run.end <= start);
        let gone: Vec<_> = self.runs.drain(..gone).collect();
        self.count_out(gone)
    }

    /// Takes the runs of which `forgotten` covers all from `start` on.
    pub(crate) fn take_covered(&mut self, forgotten: &Ranges, start: Offset) -> Vec<Run> {
        let (mut gone, mut kept) = (Vec::new(), VecDeque::with_capacity(self.runs.len()));
        for run in self.runs.drain(..) {
            if forgotten.cover(&(run.base.max(start)..run.end)) {
                gone.push(run);
            } else {
                kept.push_back(run);
            }
        }
        self.runs = kept;
        self.count_out(gone)
    }

    /// Octets of bodies.
    pub(crate) fn octets(&self) -> u64 {
        self.octets
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Run> {
        self.runs.iter()
    }

    pub(crate) fn into_vec(self) -> Vec<Run> {
        self.runs.into()
    }

    fn count_out(&mut self, gone: Vec<Run>) -> Vec<Run> {
        self.octets -= gone.iter().map(|run| run.octets).sum::<u64>();
        gone
    }
}
