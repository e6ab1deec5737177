//! When a source counts as drained.

use std::collections::{BTreeMap, BTreeSet};

/// The end of each partition when the source was opened, and which were reached.
#[derive(Debug)]
pub(super) struct Drain {
    ends: BTreeMap<i32, i64>,
    done: BTreeSet<i32>,
}

impl Drain {
    /// `watermarks` are (partition, first offset, end offset).
    pub(super) fn new(watermarks: &[(i32, i64, i64)]) -> Self {
        let empty = watermarks.iter().filter(|(_, low, high)| low >= high);
        Self {
            ends: watermarks
                .iter()
                .map(|(partition, _, end)| (*partition, *end))
                .collect(),
            done: empty.map(|(partition, ..)| *partition).collect(),
        }
    }

    /// Whether a message was there at the start; notes when it was the last.
    pub(super) fn takes(&mut self, partition: i32, offset: i64) -> bool {
        let end = self.ends.get(&partition).copied().unwrap_or(0);
        if offset + 1 >= end {
            self.done.insert(partition);
        }
        offset < end
    }

    /// The partition has nothing more: its last offsets may be control records.
    pub(super) fn reached_end(&mut self, partition: i32) {
        self.done.insert(partition);
    }

    /// Takes back that the partition was read to its end: what was not received comes again.
    pub(super) fn forget(&mut self, partition: i32) {
        self.done.remove(&partition);
    }

    /// Whether all of `assigned` were read to their ends.
    pub(super) fn is_done(&self, assigned: &BTreeSet<i32>) -> bool {
        assigned.is_subset(&self.done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_later_is_not_taken_and_empty_partitions_are_done() {
        let mut drain = Drain::new(&[(0, 0, 3), (1, 7, 7), (2, 0, 9)]);
        let all = BTreeSet::from([0, 1, 2]);
        assert!(drain.takes(0, 1) && !drain.is_done(&BTreeSet::from([0, 1])));
        assert!(drain.takes(0, 2) && drain.is_done(&BTreeSet::from([0, 1])));
        assert!(!drain.takes(0, 3) && !drain.is_done(&all));
        drain.reached_end(2);
        assert!(drain.is_done(&all));
    }
}
