//! One log's state in memory.

mod plan;

pub(crate) use plan::{Plan, Room};

use std::{collections::VecDeque, ops::Range};

use standpipe_core::{
    entry::{Draft, Entry},
    error::{Error, ErrorKind, Result},
    id::{Millis, Offset},
    ranges::Ranges,
    store::{Keep, LogBounds, Placed},
};

use super::{
    index::Index,
    loss::{Loss, nothing},
    record::Extent,
    runs::Runs,
    segment::Run,
};

/// A run of which this part or less is needed is worth writing again.
const SPARSE: f64 = 0.5;

/// A log: its ends, its runs in segments, where its newer entries lie in the journal, and the
/// newest of them.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// The commit that brought it into being.
    born: u64,
    start: Offset,
    end: Offset,
    appended: Millis,
    runs: Runs,
    /// Entries from here on are in the journal.
    journal_from: Offset,
    index: Index,
    /// Behind the last entry in `index`.
    indexed: Offset,
    /// The newest entries with the commits that brought them; all that is not written is here.
    cached: VecDeque<(u64, Entry)>,
    /// What no reader needs, above the start.
    forgotten: Ranges,
    /// What should be there and is damaged or gone; while there is any, the log takes no entries.
    loss: Loss,
}

/// What a checkpoint keeps of a log.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct LogFacts {
    pub(crate) born: u64,
    pub(crate) start: Offset,
    pub(crate) end: Offset,
    pub(crate) appended: Millis,
    pub(crate) journal_from: Offset,
    pub(crate) forgotten: Ranges,
    pub(crate) lost: Ranges,
}

impl Log {
    /// A log that commit `born` brings into being.
    pub(crate) fn new(born: u64) -> Self {
        Self {
            born,
            ..Self::default()
        }
    }

    /// A log as a checkpoint has it; runs and entries of the journal are added.
    pub(crate) fn restore(facts: LogFacts) -> Self {
        Self {
            born: facts.born,
            start: facts.start,
            end: facts.end,
            appended: facts.appended,
            journal_from: facts.journal_from,
            indexed: facts.journal_from,
            forgotten: facts.forgotten,
            loss: Loss::known(facts.lost),
            ..Self::default()
        }
    }

    /// What a checkpoint keeps.
    pub(crate) fn facts(&self) -> LogFacts {
        LogFacts {
            born: self.born,
            start: self.start,
            end: self.end,
            appended: self.appended,
            journal_from: self.journal_from,
            forgotten: self.forgotten.clone(),
            lost: self.loss.ranges().clone(),
        }
    }

    /// The commit that brought it into being.
    pub(crate) fn born(&self) -> u64 {
        self.born
    }

    /// Gives an entry its place.
    pub(crate) fn place(&mut self, draft: Draft, now: Millis, leader_epoch: u32) -> Entry {
        self.appended = self.appended.max(now);
        let entry = Entry {
            base_offset: self.end,
            appended: self.appended,
            leader_epoch,
            draft,
        };
        self.end = entry.end_offset();
        entry
    }

    /// Keeps an entry that [`Log::place`] made.
    pub(crate) fn keep(&mut self, entry: Entry, extent: Extent, seq: u64) -> Placed {
        let placed = Placed {
            base_offset: entry.base_offset,
            appended: entry.appended,
            leader_epoch: entry.leader_epoch,
        };
        self.index.push(&entry, extent);
        self.indexed = entry.end_offset();
        self.cached.push_back((seq, entry));
        placed
    }

    /// Takes an entry that recovery read.
    ///
    /// # Errors
    /// `Corrupt` where it does not follow the log's end.
    pub(crate) fn recover(&mut self, entry: &Entry, extent: Extent) -> Result<()> {
        if entry.base_offset != self.end {
            let message = format!(
                "offset {} follows a log that ends at {}",
                entry.base_offset, self.end
            );
            return Err(Error::new(ErrorKind::Corrupt, "recover log", message));
        }
        self.end = entry.end_offset();
        self.appended = self.appended.max(entry.appended);
        self.index.push(entry, extent);
        self.indexed = self.end;
        Ok(())
    }

    /// Finds again where an entry lies that the checkpoint counts already. One that does not
    /// follow is of a log of that name that was dropped before.
    pub(crate) fn find_again(&mut self, entry: &Entry, extent: Extent) {
        if entry.base_offset == self.indexed && self.indexed < self.end {
            self.index.push(entry, extent);
            self.indexed = entry.end_offset();
        }
    }

    /// Notes that what should come before the entry at `base`, which is read next, was given up.
    pub(crate) fn bridge(&mut self, base: Offset, why: &str) {
        self.bridge_counted(self.end, why);
        self.end = self.end.max(base);
        self.bridge_counted(base, why);
    }

    /// Notes that what the checkpoint counts up to `base` was not found behind what was. In the index
    /// something stands for it beside the entry before: where no octets are, no entry is read.
    pub(crate) fn bridge_counted(&mut self, base: Offset, why: &str) {
        let lost = self.indexed..base.min(self.end);
        if lost.is_empty() {
            return;
        }
        match self.index.from(lost.start).last() {
            Some((_, before)) => self.index.push(&nothing(&lost), before.extent.nothing()),
            None => self.journal_from = lost.end,
        }
        self.indexed = lost.end;
        self.lose(&lost, why.to_owned());
    }

    /// A log of this name was dropped after what was found again so far.
    pub(crate) fn find_anew(&mut self) {
        self.index = Index::default();
        self.indexed = self.journal_from;
        self.loss.remove(&(self.journal_from..self.end));
    }

    /// Notes that what somebody needs of `range` cannot be read, for `why`.
    pub(crate) fn lose(&mut self, range: &Range<Offset>, why: String) {
        let range = range.start.max(self.start)..range.end.min(self.end);
        self.loss.add(&range, &self.forgotten, why);
    }

    /// As [`Log::lose`], for the entry at `base`, which is in the journal.
    pub(crate) fn lose_entry(&mut self, base: Offset, why: String) {
        let next = self.index.from(base).nth(1);
        let end = next.map_or(self.indexed, |(next, _)| next);
        self.lose(&(base..end), why);
    }

    /// What cannot be read and was not given up.
    pub(crate) fn loss(&self) -> &Loss {
        &self.loss
    }

    /// What was given up or is needed by nobody, above the start.
    pub(crate) fn forgotten(&self) -> &Ranges {
        &self.forgotten
    }

    /// Behind the stretch of what nobody needs that covers `offset`.
    pub(crate) fn past_forgotten(&self, offset: Offset) -> Option<Offset> {
        let covering = self.forgotten.first_in(&(offset..offset.next()));
        covering.map(|range| range.end)
    }

    pub(crate) fn bounds(&self) -> LogBounds {
        LogBounds {
            start: self.start,
            end: self.end,
            octets: self.runs.octets() + self.index.octets(),
        }
    }

    /// Lets entries wholly below `below` go; returns the runs that nobody needs any more.
    pub(crate) fn trim(&mut self, below: Offset) -> Vec<Run> {
        self.start = self.start.max(below.min(self.end));
        let covering = self.index.from(self.start).next();
        let covering = covering.filter(|_| self.start < self.end);
        self.index
            .cut(covering.map_or(self.start, |(base, _)| base));
        self.forgotten.trim(self.start);
        self.loss.trim(self.start);
        let gone = |(_, entry): &(u64, Entry)| entry.end_offset() <= self.start;
        while self.cached.front().is_some_and(gone) {
            self.cached.pop_front();
        }
        if self.cached.is_empty() {
            self.cached = VecDeque::new();
        }
        self.runs.trim(self.start)
    }

    /// Notes that no reader needs `range`; returns the runs that nobody needs any more.
    pub(crate) fn forget(&mut self, range: &Range<Offset>) -> Vec<Run> {
        let range = range.start.max(self.start)..range.end.min(self.end);
        self.forgotten.insert(&range);
        self.loss.remove(&range);
        self.runs.take_covered(&self.forgotten, self.start)
    }

    /// Whether somebody still needs an entry that covers `range`, trimmed or forgotten for the rest.
    fn is_needed(&self, range: &Range<Offset>) -> bool {
        let left = range.start.max(self.start)..range.end;
        !self.forgotten.cover(&left)
    }

    /// Takes what a segment holds of it: entries below `below` are not looked for in the journal
    /// any more. Returns the run where nobody needs it.
    pub(crate) fn settle_in(&mut self, run: Option<Run>, below: Offset) -> Vec<Run> {
        self.index.cut(below);
        self.journal_from = self.journal_from.max(below);
        let mut gone = run.map(|run| self.runs.add(run)).unwrap_or_default();
        gone.extend(self.runs.trim(self.start));
        gone.extend(self.runs.take_covered(&self.forgotten, self.start));
        gone
    }

    /// Adds a run that recovery found; returns those that nobody needs beside it.
    pub(crate) fn add_run(&mut self, run: Run) -> Vec<Run> {
        self.runs.add(run)
    }

    /// Its runs of which at most half is still needed, and which part of each that is.
    pub(crate) fn sparse_runs(&self) -> impl Iterator<Item = (&Run, f64)> {
        let runs = (!self.forgotten.is_empty()).then(|| self.runs.iter());
        let runs = runs.into_iter().flatten().map(|run| {
            let span = run.end.0 - run.base.0;
            // What was forgotten when it was written is not in it.
            let holes = span.saturating_sub(run.offsets);
            let forgotten = self.forgotten.count_in(&(run.base..run.end));
            let gone = forgotten.saturating_sub(holes);
            (run, 1.0 - gone as f64 / run.offsets.max(1) as f64)
        });
        runs.filter(|(_, needed)| *needed <= SPARSE)
    }

    /// Puts what is still needed of `sparse` in its place. `false` where the run was let go of
    /// meanwhile.
    pub(crate) fn thin(&mut self, sparse: &Run, thinned: Option<Run>) -> bool {
        let is_there = self.runs.remove(sparse);
        if let Some(run) = thinned.filter(|_| is_there) {
            self.runs.add(run);
        }
        is_there
    }

    /// All runs; the log is gone.
    pub(crate) fn into_runs(self) -> Vec<Run> {
        self.runs.into_vec()
    }

    /// Its runs, in order.
    pub(crate) fn runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter()
    }

    /// Where its entries in journal files up to `file` end.
    pub(crate) fn end_in_journal(&self, file: u32) -> Offset {
        self.index.behind_file(file).unwrap_or(self.indexed)
    }

    /// Where its entries in the journal lie.
    pub(crate) fn in_journal(&self) -> impl Iterator<Item = (Offset, Extent)> + '_ {
        let slots = self.index.from(self.start.max(self.journal_from));
        slots.map(|(base, slot)| (base, slot.extent))
    }

    /// Places of what somebody still needs, from the entry behind the one at `after` up to `below`,
    /// at most `limit`.
    pub(crate) fn wanted(
        &self,
        after: Option<Offset>,
        below: Offset,
        limit: usize,
    ) -> Vec<(Offset, Extent)> {
        let slots = self.index.from(after.unwrap_or(self.start).max(self.start));
        let slots = slots.take_while(|(base, _)| *base < below);
        let mut slots = slots.peekable();
        let mut wanted = Vec::new();
        while let Some((base, slot)) = slots.next().filter(|_| wanted.len() < limit) {
            let end = slots.peek().map_or(below, |(next, _)| *next);
            // An entry of many offsets covers those behind its base too: it is not to come twice.
            let fresh = after.is_none_or(|after| base > after);
            if fresh && self.is_needed(&(base..end)) {
                wanted.push((base, slot.extent));
            }
        }
        wanted
    }

    /// What should be there and is not.
    pub(crate) fn missing(&self) -> Vec<Range<Offset>> {
        let mut at = self.start;
        let mut missing = Vec::new();
        let journal = (self.journal_from, self.indexed);
        let runs = self.runs.iter().map(|run| (run.base, run.end));
        for (base, end) in runs.chain([journal, (self.end, self.end)]) {
            if base > at && !self.forgotten.cover(&(at..base)) {
                missing.push(at..base);
            }
            at = at.max(end);
        }
        missing
    }

    /// Lets the oldest cached entry go, if it is the one named.
    pub(crate) fn uncache(&mut self, base: Offset, seq: u64) {
        let named = |(s, entry): &(u64, Entry)| *s == seq && entry.base_offset == base;
        if self.cached.front().is_some_and(named) {
            self.cached.pop_front();
        }
        if self.cached.is_empty() {
            self.cached = VecDeque::new();
        }
    }

    /// Runs that may hold an entry whose time is at or after `at`.
    pub(crate) fn runs_at_time(&self, at: Millis) -> Vec<Run> {
        let runs = self.runs.iter().filter(|run| run.latest >= at.0);
        runs.cloned().collect()
    }

    /// Whether this run is one of its own still.
    pub(crate) fn has_run(&self, run: &Run) -> bool {
        self.runs.at_or_behind(run.base) == Some(run)
    }

    /// The first entry in the journal that somebody needs and whose time is at or after `at`.
    pub(crate) fn at_time(&self, at: Millis) -> Option<Offset> {
        let (mut from, _) = self.index.from(self.start.max(self.journal_from)).next()?;
        loop {
            let base = self.index.at_time(from, at)?;
            let behind = self.index.from(base).nth(1);
            let end = behind.map_or(self.indexed, |(next, _)| next);
            if self.is_needed(&(base..end)) {
                return Some(base);
            }
            from = end;
        }
    }

    /// How far it can be trimmed: for sure, and perhaps further within a run.
    pub(crate) fn trim_point(&self, keep: Keep) -> (Offset, Option<(Run, Keep)>) {
        match keep {
            Keep::Octets(octets) => self.trim_by_size(octets),
            Keep::Since(at) if self.appended < at => (self.end, None),
            Keep::Since(at) => {
                let run = self.runs.iter().find(|run| run.appended >= at);
                match run {
                    Some(run) => (run.base.max(self.start), Some((run.clone(), keep))),
                    None => (self.journal_from.max(self.start), None),
                }
            }
        }
    }

    /// Counts from the newest entry on, so that what was trimmed within a run does not matter.
    fn trim_by_size(&self, octets: u64) -> (Offset, Option<(Run, Keep)>) {
        let from = self.start.max(self.journal_from);
        let mut newer = self.index.octets();
        if newer > octets {
            let mut over = newer - octets;
            let slots = self.index.from(from);
            let kept = slots.skip_while(|(_, slot)| {
                let octets = u64::from(slot.extent.body_length);
                let goes = over >= octets; // one that lies across the limit stays
                over -= octets.min(over);
                goes
            });
            let first = kept.map(|(base, _)| base).next();
            return (first.unwrap_or(self.end).max(from), None);
        }
        for run in self.runs.iter().rev() {
            if newer + run.octets > octets {
                let keep = Keep::Octets(octets - newer);
                return (run.base.max(self.start), Some((run.clone(), keep)));
            }
            newer += run.octets;
        }
        (self.start, None)
    }
}
