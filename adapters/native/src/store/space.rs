//! Which octets of the segments hold runs that somebody needs.

use std::{collections::BTreeMap, ops::Range};

use super::segment::{HEADER, Run};

/// Octets that a file system gives back at once, at a multiple of them: no common one has larger blocks.
const BLOCK: u64 = 64 * 1024;

/// Runs that are needed, by segment.
#[derive(Debug, Default)]
pub(super) struct Space(BTreeMap<u64, Segment>);

#[derive(Debug, Default)]
struct Segment {
    /// Where each run that is needed begins, and its end.
    runs: BTreeMap<u64, u64>,
    /// Behind its last run, needed or not.
    end: u64,
}

impl Space {
    /// Adds a run that somebody needs.
    pub(super) fn add(&mut self, run: &Run) {
        let end = run.at.saturating_add(run.stored());
        let segment = self.0.entry(run.segment).or_default();
        segment.runs.insert(run.at, end);
        segment.end = segment.end.max(end);
    }

    /// Whether nothing else of its segment is needed.
    pub(super) fn is_last(&self, run: &Run) -> bool {
        let segment = self.0.get(&run.segment);
        let runs = segment.map(|segment| &segment.runs);
        runs.is_some_and(|runs| runs.len() == 1 && runs.contains_key(&run.at))
    }

    /// Takes out a run that nobody needs any more; returns what can be given back now. That is the
    /// run, with what nobody needs beside it in the same blocks: only whole blocks give space.
    pub(super) fn remove(&mut self, run: &Run) -> Option<Range<u64>> {
        let segment = self.0.get_mut(&run.segment)?;
        let end = segment.runs.remove(&run.at)?;
        let before = segment.runs.range(..run.at).next_back();
        let behind = segment.runs.range(run.at..).next();
        let from = before.map_or(HEADER as u64, |(_, end)| *end);
        let to = behind.map_or(segment.end, |(at, _)| *at);
        if segment.runs.is_empty() {
            self.0.remove(&run.segment);
        }
        let blocks = run.at - run.at % BLOCK..end.next_multiple_of(BLOCK);
        Some(from.max(blocks.start)..to.min(blocks.end))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use standpipe_core::id::{Millis, Offset};

    use super::*;

    fn run(at: u64, length: u64) -> Run {
        Run {
            segment: 1,
            born: 1,
            base: Offset(0),
            end: Offset(1),
            at,
            length,
            points: 0,
            points_crc: 0,
            octets: length,
            entries: 1,
            offsets: 1,
            latest: 0,
            appended: Millis(0),
        }
    }

    fn overlap(run: &Run, octets: &Range<u64>) -> bool {
        run.at < octets.end && octets.start < run.at + run.length
    }

    proptest! {
        #[test]
        fn a_block_is_given_back_at_once_when_nobody_needs_any_of_it(
            lengths in prop::collection::vec(1..100_000u64, 1..40),
            order in prop::collection::vec(any::<u32>(), 40),
            kept in 0..5usize,
        ) {
            let (mut space, mut runs, mut end) = (Space::default(), Vec::new(), HEADER as u64);
            for (order, length) in order.into_iter().zip(lengths) {
                runs.push((order, run(end, length)));
                end += length;
            }
            runs.iter().for_each(|(_, run)| space.add(run));
            runs.sort_by_key(|(order, _)| *order);
            let mut needed: Vec<_> = runs.into_iter().map(|(_, run)| run).collect();
            let mut given = Vec::new();
            while needed.len() > kept {
                let gone = needed.remove(0);
                prop_assert_eq!(space.is_last(&gone), needed.is_empty());
                let range = space.remove(&gone).unwrap();
                prop_assert!(range.start <= gone.at && range.end >= gone.at + gone.length);
                prop_assert!(range.start >= HEADER as u64 && range.end <= end);
                prop_assert!(!needed.iter().any(|run| overlap(run, &range)));
                prop_assert_eq!(space.remove(&gone), None);
                given.push(range);
            }
            for block in 1..end / BLOCK {
                let block = block * BLOCK..(block + 1) * BLOCK;
                let whole = |range: &Range<u64>| {
                    range.start <= block.start && block.end <= range.end
                };
                let is_needed = needed.iter().any(|run| overlap(run, &block));
                prop_assert_eq!(given.iter().any(whole), !is_needed);
            }
        }
    }
}
