//! Which offsets may be committed: the end of what is acked without a hole.

use std::collections::{BTreeMap, VecDeque};

/// Deliveries of each partition that are not below its committed offset.
#[derive(Debug, Default)]
pub(super) struct Prefixes {
    partitions: BTreeMap<i32, VecDeque<(i64, bool)>>,
}

impl Prefixes {
    /// Notes a delivery; offsets of a partition come in order, with holes where there are no
    /// messages.
    pub(super) fn deliver(&mut self, partition: i32, offset: i64) {
        let deliveries = self.partitions.entry(partition).or_default();
        if deliveries.back().is_some_and(|(last, _)| *last >= offset) {
            // The position was moved back: what follows is delivered again.
            deliveries.retain(|(held, _)| *held < offset);
        }
        deliveries.push_back((offset, false));
    }

    /// Notes an ack; returns the offset to commit where the run without holes became longer.
    pub(super) fn ack(&mut self, partition: i32, offset: i64) -> Option<i64> {
        let deliveries = self.partitions.get_mut(&partition)?;
        let at = deliveries
            .binary_search_by_key(&offset, |(held, _)| *held)
            .ok()?;
        deliveries[at].1 = true;
        let mut end = None;
        while let Some((offset, true)) = deliveries.front() {
            end = Some(offset + 1);
            deliveries.pop_front();
        }
        end
    }

    /// Forgets a partition that was given to another member.
    pub(super) fn forget(&mut self, partition: i32) {
        self.partitions.remove(&partition);
    }

    /// Deliveries that are not settled, or settled behind a hole.
    pub(super) fn len(&self) -> usize {
        self.partitions.values().map(VecDeque::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_commit_passes_an_unacked_delivery(
            gaps in prop::collection::vec(1i64..4, 1..50),
            order in prop::collection::vec(any::<prop::sample::Index>(), 0..80),
        ) {
            let offsets: Vec<i64> = gaps
                .iter()
                .scan(0, |at, gap| { *at += gap; Some(*at) })
                .collect();
            let mut prefixes = Prefixes::default();
            offsets.iter().for_each(|offset| prefixes.deliver(3, *offset));
            let mut acked = std::collections::BTreeSet::new();
            let mut committed = 0;
            for index in order {
                let offset = offsets[index.index(offsets.len())];
                acked.insert(offset);
                if let Some(end) = prefixes.ack(3, offset) {
                    prop_assert!(end > committed, "commits only rise");
                    committed = end;
                }
                let hole = offsets.iter().find(|offset| !acked.contains(offset));
                let expected = match hole {
                    Some(hole) => offsets.iter().rfind(|o| *o < hole).map_or(0, |o| o + 1),
                    None => offsets[offsets.len() - 1] + 1,
                };
                prop_assert_eq!(committed, expected);
            }
        }
    }

    #[test]
    fn an_ack_of_a_partition_that_went_away_commits_nothing() {
        let mut prefixes = Prefixes::default();
        prefixes.deliver(0, 5);
        prefixes.forget(0);
        assert_eq!(prefixes.ack(0, 5), None);
        assert_eq!(prefixes.len(), 0);
    }
}
