//! A set of offsets that grows toward being a prefix: a floor, and pages of bits above it.
//!
//! Memory is one bit an offset between the floor and the highest settled one, less where pages
//! are full, whatever the order of acks.

use std::{collections::BTreeMap, ops::Range};

use crate::id::Offset;

const WORDS: usize = 16;
const PAGE: u64 = (WORDS as u64) * 64;

/// Settled offsets: all below the floor, and those above it that are in a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettledSet {
    floor: u64,
    pages: BTreeMap<u64, Page>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Page {
    Full,
    Bits(Box<[u64; WORDS]>),
}

impl SettledSet {
    /// Everything below `floor`, nothing else.
    pub fn starting_at(floor: Offset) -> Self {
        Self {
            floor: floor.0,
            pages: BTreeMap::new(),
        }
    }

    /// The first offset that is not in the set.
    pub fn floor(&self) -> Offset {
        Offset(self.floor)
    }

    /// Whether `offset` is in the set.
    pub fn contains(&self, offset: Offset) -> bool {
        offset.0 < self.floor
            || match self.pages.get(&(offset.0 / PAGE)) {
                None => false,
                Some(Page::Full) => true,
                Some(Page::Bits(words)) => bit(words, offset.0 % PAGE),
            }
    }

    /// Adds a range, and moves the floor as far as it goes.
    pub fn settle(&mut self, range: Range<Offset>) {
        let (start, end) = (range.start.0.max(self.floor), range.end.0);
        if start >= end {
            return;
        }
        if start == self.floor {
            self.floor = end;
        } else {
            self.set_bits(start, end);
        }
        self.raise_floor();
    }

    /// Removes everything at or beyond `end`.
    pub fn clamp(&mut self, end: Offset) {
        self.floor = self.floor.min(end.0);
        self.pages.split_off(&end.0.div_ceil(PAGE));
        let last = end.0 / PAGE;
        if let Some(page) = self.pages.get_mut(&last) {
            page.clear(end.0 % PAGE, PAGE);
            self.drop_if_empty(last);
        }
    }

    /// The first offset at or after `from` that is not in the set.
    pub fn next_missing(&self, from: Offset) -> Offset {
        let mut at = from.0.max(self.floor);
        while let Some(page) = self.pages.get(&(at / PAGE)) {
            match page.first_clear(at % PAGE) {
                Some(within) => return Offset(at / PAGE * PAGE + within),
                None => at = (at / PAGE + 1) * PAGE,
            }
        }
        Offset(at)
    }

    /// What of `range` is not in the set, in order.
    pub fn missing_in(&self, range: &Range<Offset>) -> Vec<Range<Offset>> {
        if range.start.0 >= self.floor && self.pages.is_empty() {
            return vec![range.clone()];
        }
        let (mut missing, mut start) = (Vec::new(), self.next_missing(range.start));
        while start < range.end {
            let mut end = start.next();
            while end < range.end && !self.contains(end) {
                end = end.next();
            }
            missing.push(start..end);
            start = self.next_missing(end);
        }
        missing
    }

    /// How many offsets of `range` are in the set.
    pub fn count_in(&self, range: Range<Offset>) -> u64 {
        let (start, end) = (range.start.0, range.end.0);
        if start >= end {
            return 0;
        }
        let below = self.floor.min(end).saturating_sub(start);
        let start = start.max(self.floor);
        if start >= end {
            return below;
        }
        let pages = self.pages.range(start / PAGE..end.div_ceil(PAGE));
        let above = pages.map(|(number, page)| {
            let base = number * PAGE;
            page.count(start.max(base) - base, end.min(base + PAGE) - base)
        });
        below + above.sum::<u64>()
    }

    /// What is in the set above the floor, as ranges in order.
    pub fn ranges(&self) -> impl Iterator<Item = Range<Offset>> + '_ {
        let all = self.stretches(1, Offset(u64::MAX)).into_iter();
        all.filter(|range| range.start.0 >= self.floor)
    }

    /// Ranges of the set, that below the floor included, in order: those of at least `least`
    /// offsets, and the one that reaches `edge`, however short. Takes time in proportion to the
    /// pages, not to the offsets.
    pub fn stretches(&self, least: u64, edge: Offset) -> Vec<Range<Offset>> {
        let mut found = Stretches::new(least, edge);
        found.add(0, self.floor);
        for (number, page) in &self.pages {
            let base = number * PAGE;
            match page {
                Page::Full => found.add(base, base + PAGE),
                Page::Bits(words) => {
                    let places = (base..).step_by(64);
                    places
                        .zip(words.iter())
                        .for_each(|(at, word)| found.add_word(at, *word));
                }
            }
        }
        found.finish()
    }

    fn set_bits(&mut self, start: u64, end: u64) {
        for number in start / PAGE..end.div_ceil(PAGE) {
            let base = number * PAGE;
            let (from, to) = (start.max(base) - base, end.min(base + PAGE) - base);
            let page = self
                .pages
                .entry(number)
                .or_insert_with(|| Page::Bits(Box::new([0; WORDS])));
            page.set(from, to);
        }
    }

    fn raise_floor(&mut self) {
        self.floor = self.next_missing(Offset(self.floor)).0;
        let number = self.floor / PAGE;
        while self
            .pages
            .first_key_value()
            .is_some_and(|(first, _)| *first < number)
        {
            self.pages.pop_first();
        }
        if let Some(page) = self.pages.get_mut(&number) {
            page.clear(0, self.floor % PAGE);
            self.drop_if_empty(number);
        }
    }

    fn drop_if_empty(&mut self, number: u64) {
        if self
            .pages
            .get(&number)
            .is_some_and(|page| page.count(0, PAGE) == 0)
        {
            self.pages.remove(&number);
        }
    }
}

/// Joins what touches, and keeps what is long enough.
struct Stretches {
    least: u64,
    edge: u64,
    open: Range<u64>,
    found: Vec<Range<Offset>>,
}

impl Stretches {
    fn new(least: u64, edge: Offset) -> Self {
        Self {
            least,
            edge: edge.0,
            open: 0..0,
            found: Vec::new(),
        }
    }

    fn add(&mut self, start: u64, end: u64) {
        if start != self.open.end {
            self.close();
            self.open.start = start;
        }
        self.open.end = end;
    }

    fn add_word(&mut self, mut at: u64, mut word: u64) {
        while word != 0 {
            at += u64::from(word.trailing_zeros());
            word >>= word.trailing_zeros();
            let ones = word.trailing_ones();
            self.add(at, at + u64::from(ones));
            at += u64::from(ones);
            word = word.checked_shr(ones).unwrap_or(0);
        }
    }

    fn close(&mut self) {
        let Range { start, end } = self.open;
        if start < end && (end - start >= self.least || end >= self.edge) {
            self.found.push(Offset(start)..Offset(end));
        }
    }

    fn finish(mut self) -> Vec<Range<Offset>> {
        self.close();
        self.found
    }
}

impl Page {
    fn clear(&mut self, from: u64, to: u64) {
        if matches!(self, Self::Full) {
            *self = Self::Bits(Box::new([u64::MAX; WORDS]));
        }
        if let Self::Bits(words) = self {
            let masked = words.iter_mut().zip(masks(from, to));
            masked.for_each(|(word, mask)| *word &= !mask);
        }
    }

    fn set(&mut self, from: u64, to: u64) {
        let Self::Bits(words) = self else { return };
        let masked = words.iter_mut().zip(masks(from, to));
        masked.for_each(|(word, mask)| *word |= mask);
        if words.iter().all(|word| *word == u64::MAX) {
            *self = Self::Full;
        }
    }

    fn first_clear(&self, from: u64) -> Option<u64> {
        let Self::Bits(words) = self else { return None };
        let clear = words.iter().zip(masks(from, PAGE)).map(|(w, m)| !w & m);
        let mut places = (0..).step_by(64).zip(clear);
        places.find_map(|(at, clear)| (clear != 0).then(|| at + u64::from(clear.trailing_zeros())))
    }

    fn count(&self, from: u64, to: u64) -> u64 {
        let Self::Bits(words) = self else {
            return to - from;
        };
        let set = words
            .iter()
            .zip(masks(from, to))
            .map(|(word, mask)| word & mask);
        set.map(|bits| u64::from(bits.count_ones())).sum()
    }
}

/// The bits from `from` to `to` of a page, a word at a time.
fn masks(from: u64, to: u64) -> impl Iterator<Item = u64> {
    let below = |at: u64, base: u64| match at.saturating_sub(base) {
        bits @ 0..64 => (1 << bits) - 1,
        _ => u64::MAX,
    };
    let bases = (0..PAGE).step_by(64);
    bases.map(move |base| below(to, base) & !below(from, base))
}

fn bit(words: &[u64; WORDS], at: u64) -> bool {
    words[(at / 64) as usize] >> (at % 64) & 1 == 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Beyond whatever the tests settle.
    const END: u64 = PAGE * 8;

    /// Offsets anywhere, and as often where pages meet.
    fn offset() -> impl Strategy<Value = u64> {
        let seam = (0u64..6, 0u64..5).prop_map(|(page, at)| (page * PAGE + at).saturating_sub(2));
        prop_oneof![0u64..5000, seam]
    }

    fn ranges() -> impl Strategy<Value = Vec<Range<u64>>> {
        let range = (offset(), offset()).prop_map(|(a, b)| {
            let start = a.min(b);
            start..start + a.abs_diff(b) % 1500
        });
        prop::collection::vec(range, 0..25)
    }

    /// A set, and the same set written out.
    fn settled(ranges: Vec<Range<u64>>) -> (SettledSet, Vec<bool>) {
        let (mut set, mut plain) = (SettledSet::default(), vec![false; END as usize]);
        for Range { start, end } in ranges {
            set.settle(Offset(start)..Offset(end));
            plain[start as usize..end as usize].fill(true);
        }
        (set, plain)
    }

    /// What lies behind one another in a set that is written out.
    fn runs(plain: &[bool]) -> Vec<Range<Offset>> {
        let chunks = plain.chunk_by(|a, b| a == b).scan(0, |at, chunk| {
            let start = Offset(*at);
            *at += chunk.len() as u64;
            Some((chunk[0], start..Offset(*at)))
        });
        chunks
            .filter_map(|(is_in, run)| is_in.then_some(run))
            .collect()
    }

    fn is_lean(set: &SettledSet) -> bool {
        set.pages.values().all(|page| page.count(0, PAGE) > 0)
    }

    proptest! {
        #[test]
        fn it_is_a_set(ranges in ranges(), probe in offset(), to in offset()) {
            let (set, plain) = settled(ranges);
            for at in 0..END {
                prop_assert_eq!(set.contains(Offset(at)), plain[at as usize]);
            }
            let missing = (probe..).find(|at| !plain[*at as usize]);
            prop_assert_eq!(Some(set.next_missing(Offset(probe)).0), missing);
            let within = plain.get(probe as usize..to as usize).unwrap_or_default();
            let count = within.iter().filter(|is_in| **is_in).count() as u64;
            prop_assert_eq!(set.count_in(Offset(probe)..Offset(to)), count);
            prop_assert!(is_lean(&set), "an empty page is kept");
        }

        #[test]
        fn its_stretches_are_its_long_runs_and_the_one_at_the_edge(
            ranges in ranges(), least in 0u64..300, edge in offset(),
        ) {
            let (set, plain) = settled(ranges);
            let all = runs(&plain);
            let above: Vec<_> = all.iter().filter(|run| run.start > Offset::ZERO).cloned().collect();
            prop_assert_eq!(set.ranges().collect::<Vec<_>>(), above);
            let long = |range: &Range<Offset>| range.end.0 - range.start.0 >= least || range.end.0 >= edge;
            let expected: Vec<_> = all.into_iter().filter(long).collect();
            prop_assert_eq!(set.stretches(least, Offset(edge)), expected);
        }
    }

    proptest! {
        #[test]
        fn nothing_at_or_beyond_a_clamp_is_left(bounds in prop::collection::vec((offset(), offset()), 0..9), end in offset()) {
            let mut set = SettledSet::default();
            for (start, until) in bounds {
                set.settle(Offset(start)..Offset(until));
            }
            let before = set.clone();
            set.clamp(Offset(end));
            for at in (0..7 * PAGE).map(Offset) {
                prop_assert_eq!(set.contains(at), before.contains(at) && at.0 < end);
            }
            prop_assert!(is_lean(&set), "an empty page is kept");
        }
    }

    #[test]
    fn a_page_that_is_full_costs_nothing_and_the_floor_jumps_over_it() {
        let mut set = SettledSet::default();
        set.settle(Offset(1)..Offset(PAGE * 3));
        assert_eq!(set.pages.values().filter(|p| **p == Page::Full).count(), 2);
        set.settle(Offset(0)..Offset(1));
        assert_eq!(set.floor(), Offset(PAGE * 3));
        assert!(set.pages.is_empty());
    }
}
