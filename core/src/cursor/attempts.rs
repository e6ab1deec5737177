//! How often offsets were delivered without success.

use std::{collections::BTreeMap, ops::Range};

use crate::id::Offset;

/// Counts by offset, as runs of equal ones: what a consumer that is gone gave back lies together.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Attempts(BTreeMap<u64, Run>);

#[derive(Debug, Clone, Copy, PartialEq)]
struct Run {
    end: u64,
    count: u32,
}

impl Attempts {
    /// The count of an offset; 0 where none was set.
    pub(super) fn get(&self, offset: Offset) -> u32 {
        let run = self.0.range(..=offset.0).next_back();
        run.filter(|(_, run)| offset.0 < run.end)
            .map_or(0, |(_, run)| run.count)
    }

    /// Sets the count of each offset in a range.
    pub(super) fn set(&mut self, range: &Range<Offset>, count: u32) {
        let (mut start, mut end) = (range.start.0, range.end.0);
        if start >= end {
            return;
        }
        self.remove(range);
        let before = self.0.range(..start).next_back();
        if let Some((from, _)) = before.filter(|(_, run)| run.end == start && run.count == count) {
            start = *from;
        }
        if let Some(behind) = self.0.get(&end).copied().filter(|run| run.count == count) {
            self.0.remove(&end);
            end = behind.end;
        }
        self.0.insert(start, Run { end, count });
    }

    /// Forgets the counts in a range.
    pub(super) fn remove(&mut self, range: &Range<Offset>) {
        let (start, end) = (range.start.0, range.end.0);
        while let Some((from, run)) = self.0.range(..end).next_back() {
            let (from, run) = (*from, *run);
            if run.end <= start || start >= end {
                return;
            }
            self.0.remove(&from);
            if from < start {
                self.0.insert(from, Run { end: start, ..run });
            }
            if run.end > end {
                self.0.insert(end, run);
            }
        }
    }

    /// The runs, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Range<Offset>, u32)> + '_ {
        let runs = self.0.iter();
        runs.map(|(from, run)| (Offset(*from)..Offset(run.end), run.count))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_offset_has_the_count_that_was_set_last(
            acts in prop::collection::vec((0u64..60, 0u64..20, prop::option::of(1u32..4)), 0..30),
        ) {
            let (mut attempts, mut oracle) = (Attempts::default(), BTreeMap::new());
            for (from, length, count) in acts {
                let range = Offset(from)..Offset(from + length);
                match count {
                    Some(count) => attempts.set(&range, count),
                    None => attempts.remove(&range),
                }
                for offset in from..from + length {
                    oracle.insert(offset, count.unwrap_or(0));
                }
            }
            for offset in 0..90 {
                let expected = oracle.get(&offset).copied().unwrap_or(0);
                prop_assert_eq!(attempts.get(Offset(offset)), expected);
            }
            let runs: Vec<_> = attempts.iter().collect();
            let apart = |pair: &[(Range<Offset>, u32)]| {
                pair[0].0.end < pair[1].0.start || (pair[0].0.end == pair[1].0.start && pair[0].1 != pair[1].1)
            };
            prop_assert!(runs.windows(2).all(apart), "{:?}", runs);
        }
    }
}
