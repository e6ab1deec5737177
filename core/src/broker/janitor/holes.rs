//! What the janitor remembers of a partition, so that it asks a store nothing twice.

use std::{collections::BTreeMap, ops::Range, time::Duration};

use crate::id::{Millis, Offset};

/// Into so many parts an age is divided, after each of which a log is looked at.
const LOOKS: u64 = 64;
/// The longest that a log is not looked at.
const LONGEST: Duration = Duration::from_mins(10);

/// What was seen of a partition last, and what of it is forgotten. It lives in memory: after a
/// restart the same is found and said once more, which changes nothing.
#[derive(Debug, Default)]
pub(in crate::broker) struct Space {
    forgotten: BTreeMap<Offset, Offset>,
    seen: Option<u64>,
    fitting: Option<(u64, Offset)>,
    young: Option<(u64, Range<Millis>)>,
}

impl Space {
    /// Whether the partition's subscriptions look otherwise than the last time.
    pub(super) fn has_changed(&self, look: u64) -> bool {
        self.seen != Some(look)
    }

    /// All that `look` shows is done.
    pub(super) fn seen(&mut self, look: u64) {
        self.seen = Some(look);
    }

    /// Whether the partition's end moved since it was seen to fit the same limit.
    pub(super) fn has_grown(&self, limit: u64, end: Offset) -> bool {
        self.fitting != Some((limit, end))
    }

    /// It fits its limit with this end.
    pub(super) fn fits(&mut self, limit: u64, end: Offset) {
        self.fitting = Some((limit, end));
    }

    /// Whether something may be older than this limit: not shortly after all of it was younger.
    pub(super) fn may_age(&self, limit: u64, now: Millis) -> bool {
        let young = self.young.as_ref();
        young.is_none_or(|(of, until)| *of != limit || !until.contains(&now))
    }

    /// All of it is younger than this limit, and looked at again once a small part of that has passed.
    pub(super) fn is_young(&mut self, limit: u64, now: Millis) {
        let wait = Duration::from_millis(limit / LOOKS).min(LONGEST);
        self.young = Some((limit, now..now.after(wait)));
    }

    /// Remembers that a range is forgotten.
    pub(super) fn forgot(&mut self, range: &Range<Offset>) {
        let (mut start, mut end) = (range.start, range.end);
        while let Some((at, to)) = self.before(end).filter(|(_, to)| *to >= start) {
            self.forgotten.remove(&at);
            (start, end) = (start.min(at), end.max(to));
        }
        self.forgotten.insert(start, end);
    }

    /// Lets go of what lies below a log's start.
    pub(super) fn starts_at(&mut self, start: Offset) {
        while let Some(first) = self.forgotten.first_entry() {
            let (at, to) = (*first.key(), *first.get());
            if at >= start {
                return;
            }
            first.remove();
            if to > start {
                self.forgotten.insert(start, to);
            }
        }
    }

    /// How many offsets of a range are not forgotten.
    pub(super) fn left_of(&self, range: &Range<Offset>) -> u64 {
        let mut left = range.end.0.saturating_sub(range.start.0);
        for (at, to) in self.forgotten.range(..range.end).rev() {
            if *to <= range.start {
                break;
            }
            left -= to.0.min(range.end.0) - at.0.max(range.start.0);
        }
        left
    }

    /// What is forgotten, in order.
    pub(in crate::broker) fn forgotten(&self) -> impl Iterator<Item = Range<Offset>> + '_ {
        self.forgotten.iter().map(|(start, end)| *start..*end)
    }

    fn before(&self, end: Offset) -> Option<(Offset, Offset)> {
        let (start, to) = self.forgotten.range(..=end).next_back()?;
        Some((*start, *to))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_young_is_not_looked_at_for_a_part_of_its_time() {
        let (mut space, limit) = (Space::default(), 64_000);
        assert!(space.may_age(limit, Millis(0)));
        space.is_young(limit, Millis(0));
        assert!(!space.may_age(limit, Millis(999)));
        assert!(space.may_age(limit, Millis(1_000)));
        assert!(space.may_age(limit - 1, Millis(0)), "another limit");
        assert!(space.may_age(limit, Millis(-1)), "the clock was set back");
        space.is_young(u64::MAX, Millis(0));
        assert!(space.may_age(u64::MAX, Millis(600_000)), "ten minutes");
    }

    proptest! {
        #[test]
        fn it_is_a_set_of_few_ranges(
            ranges in prop::collection::vec((0u64..200, 1u64..40), 0..30), start in 0u64..100, probe in 0u64..200, length in 0u64..100,
        ) {
            let (mut space, mut oracle) = (Space::default(), BTreeSet::new());
            for (at, length) in ranges {
                space.forgot(&(Offset(at)..Offset(at + length)));
                oracle.extend(at..at + length);
            }
            space.starts_at(Offset(start));
            oracle = oracle.split_off(&start);
            let kept: Vec<_> = space.forgotten().flat_map(|r| r.start.0..r.end.0).collect();
            prop_assert_eq!(&kept, &oracle.iter().copied().collect::<Vec<_>>());
            let apart: Vec<_> = space.forgotten().collect();
            prop_assert!(apart.is_sorted_by(|a, b| a.end < b.start));
            let gone = oracle.range(probe..probe + length).count() as u64;
            prop_assert_eq!(space.left_of(&(Offset(probe)..Offset(probe + length))), length - gone);
        }
    }
}
