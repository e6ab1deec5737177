//! A set of offset ranges that grows.

use std::{collections::BTreeMap, ops::Range};

use crate::id::Offset;

/// Disjoint ranges, none adjacent to another.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Ranges {
    ends: BTreeMap<u64, u64>,
    offsets: u64,
}

impl Ranges {
    /// Adds a range; what it touches becomes one with it.
    pub fn insert(&mut self, range: &Range<Offset>) {
        let (mut start, mut end) = (range.start.0, range.end.0);
        if start >= end {
            return;
        }
        while let Some((from, to)) = self.ends.range(..=end).next_back() {
            let (from, to) = (*from, *to);
            if to < start {
                break;
            }
            self.take(from, to);
            (start, end) = (start.min(from), end.max(to));
        }
        self.put(start, end);
    }

    /// Takes a range out.
    pub fn remove(&mut self, range: &Range<Offset>) {
        let (start, end) = (range.start.0, range.end.0);
        while let Some((from, to)) = self.ends.range(..end).next_back() {
            let (from, to) = (*from, *to);
            if to <= start || start >= end {
                return;
            }
            self.take(from, to);
            if from < start {
                self.put(from, start);
            }
            if to > end {
                self.put(end, to);
            }
        }
    }

    /// The first of them that reaches into `range`.
    pub fn first_in(&self, range: &Range<Offset>) -> Option<Range<Offset>> {
        let before = self.ends.range(..=range.start.0).next_back();
        let before = before.filter(|(_, to)| **to > range.start.0);
        let (from, to) = before.or_else(|| self.ends.range(range.start.0..).next())?;
        (*from < range.end.0).then_some(Offset(*from)..Offset(*to))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Lets go of what lies below `start`.
    pub fn trim(&mut self, start: Offset) {
        while let Some((from, to)) = self.ends.first_key_value() {
            let (from, to) = (*from, *to);
            if from >= start.0 {
                return;
            }
            self.take(from, to);
            if to > start.0 {
                self.put(start.0, to);
                return;
            }
        }
    }

    fn put(&mut self, from: u64, to: u64) {
        self.ends.insert(from, to);
        self.offsets += to - from;
    }

    fn take(&mut self, from: u64, to: u64) {
        self.ends.remove(&from);
        self.offsets -= to - from;
    }

    /// How many offsets are in them.
    pub fn count(&self) -> u64 {
        self.offsets
    }

    /// The lowest offset in them.
    pub fn first(&self) -> Option<Offset> {
        self.ends.keys().next().copied().map(Offset)
    }

    /// Whether all of `range` is in one of them.
    pub fn cover(&self, range: &Range<Offset>) -> bool {
        let holder = self.ends.range(..=range.start.0).next_back();
        range.start >= range.end || holder.is_some_and(|(_, to)| *to >= range.end.0)
    }

    /// What of them lies in `range`.
    pub fn within(&self, range: &Range<Offset>) -> Self {
        let mut within = Self::default();
        let mut from = range.start;
        while let Some(next) = self.first_in(&(from..range.end)) {
            within.insert(&(next.start.max(range.start)..next.end.min(range.end)));
            from = next.end;
        }
        within
    }

    /// How many offsets of `range` are in them.
    pub fn count_in(&self, range: &Range<Offset>) -> u64 {
        let (start, end) = (range.start.0, range.end.0);
        let before = self.ends.range(..start).next_back();
        let within = self.ends.range(start..end.max(start));
        let reach = before.into_iter().chain(within);
        let inside = reach.map(|(from, to)| to.min(&end).saturating_sub(*from.max(&start)));
        inside.sum()
    }

    /// Behind the one that holds `offset`; `offset` itself where none does.
    pub fn end_of(&self, offset: Offset) -> Offset {
        let holder = self.ends.range(..=offset.0).next_back();
        holder.map_or(offset, |(_, to)| offset.max(Offset(*to)))
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Range<Offset>> + '_ {
        self.ends
            .iter()
            .map(|(from, to)| Offset(*from)..Offset(*to))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_cover_what_was_added_above_the_start(
            added in prop::collection::vec((0u64..200, 1u64..20), 0..40), start in 0u64..200,
            removed in prop::collection::vec((0u64..200, 0u64..30), 0..5),
        ) {
            let (mut ranges, mut set) = (Ranges::default(), std::collections::BTreeSet::new());
            for (from, length) in added {
                ranges.insert(&(Offset(from)..Offset(from + length)));
                set.extend(from..from + length);
            }
            for (from, length) in removed {
                ranges.remove(&(Offset(from)..Offset(from + length)));
                set.retain(|at| !(from..from + length).contains(at));
            }
            ranges.trim(Offset(start));
            for end in start..230 {
                let counted = ranges.count_in(&(Offset(start)..Offset(end)));
                prop_assert_eq!(counted, set.range(start..end).count() as u64);
            }
            let first = ranges.first_in(&(Offset(start)..Offset(230)));
            let expected = set.range(start..).next().copied();
            prop_assert_eq!(first.map(|range| range.start.0), expected);
            for offset in start..230 {
                let covered = ranges.cover(&(Offset(offset)..Offset(offset + 1)));
                prop_assert_eq!(covered, set.contains(&offset));
                let behind = (offset..).find(|at| !set.contains(at)).unwrap();
                prop_assert_eq!(ranges.end_of(Offset(offset)), Offset(behind));
            }
            prop_assert_eq!(ranges.count(), set.range(start..).count() as u64);
            prop_assert_eq!(ranges.first().map(|first| first.0), set.range(start..).next().copied());
            let all: Vec<_> = ranges.iter().collect();
            prop_assert!(all.windows(2).all(|pair| pair[0].end < pair[1].start));
            prop_assert!(all.iter().all(|range| range.start.0 >= start));
        }
    }
}
