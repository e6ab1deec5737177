//! One log's state in memory.

use std::{collections::VecDeque, ops::Range};

use standpipe_core::{
    entry::{Draft, Entry},
    error::{Error, ErrorKind, Result},
    id::{Millis, Offset},
    store::{Keep, LogBounds, Placed, ReadLimit},
};

use super::{index::Index, ranges::Ranges, record::Extent, runs::Runs, segment::Run};

/// Entries that one read looks up at most, so that appends do not wait long behind it.
const READ_ENTRIES: usize = 4096;

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
    /// Set where damage was found; the log takes no more entries.
    damage: Option<Error>,
}

/// What a read needs.
#[derive(Debug)]
pub(crate) enum Plan {
    /// Places in the journal, then entries from memory.
    Journal(Vec<(Offset, Extent)>, Vec<Entry>),
    /// Entries of a run from an offset on.
    Segment(Run, Offset),
}

impl Plan {
    /// Whether both lead to the same first place.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let place = |places: &[(Offset, Extent)]| {
            let first = places.first();
            first.map(|(base, extent)| (*base, extent.file, extent.head))
        };
        match (self, other) {
            (Self::Journal(ours, _), Self::Journal(theirs, _)) => place(ours) == place(theirs),
            (Self::Segment(ours, from), Self::Segment(theirs, at)) => ours == theirs && from == at,
            _ => false,
        }
    }
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

    /// A log of this name was dropped after what was found again so far.
    pub(crate) fn find_anew(&mut self) {
        self.index = Index::default();
        self.indexed = self.journal_from;
    }

    /// Marks the log as damaged; the first damage is the one reported.
    pub(crate) fn damage(&mut self, error: Error) {
        self.damage.get_or_insert(error);
    }

    /// Notes that `range` should be there and is not.
    pub(crate) fn lose(&mut self, range: &Range<Offset>) {
        let error = self.lost(range.clone());
        tracing::error!("{error}");
        self.damage(error);
    }

    /// The damage that was found.
    pub(crate) fn damaged(&self) -> Option<&Error> {
        self.damage.as_ref()
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
        self.runs.take_covered(&self.forgotten, self.start)
    }

    /// Where a read from `from` begins: behind what nobody needs.
    pub(crate) fn behind_forgotten(&self, from: Offset) -> Offset {
        self.forgotten.end_of(from)
    }

    /// Takes out what no reader needs, though it may still be there.
    pub(crate) fn retain_needed(&self, entries: &mut Vec<Entry>) {
        let needed = |entry: &Entry| {
            let range = entry.base_offset..entry.end_offset();
            !self.forgotten.cover(&range)
        };
        entries.retain(needed);
    }

    /// Takes what a segment holds of it: entries below `below` are not looked for in the journal
    /// any more. Returns the run where nobody needs it.
    pub(crate) fn settle_in(&mut self, run: Option<Run>, below: Offset) -> Vec<Run> {
        self.index.cut(below);
        self.journal_from = self.journal_from.max(below);
        self.runs.add(run);
        let mut gone = self.runs.trim(self.start);
        gone.extend(self.runs.take_covered(&self.forgotten, self.start));
        gone
    }

    /// Adds a run that recovery found.
    pub(crate) fn add_run(&mut self, run: Run) {
        self.runs.add(Some(run));
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
            if fresh && end > self.start && !self.forgotten.cover(&(base..end)) {
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

    /// How a read from `from` goes.
    ///
    /// # Errors
    /// `NotFound` outside the log, `Corrupt` where what should be there is not.
    pub(crate) fn plan(&self, from: Offset, limit: ReadLimit) -> Result<Plan> {
        check_range(from, self.bounds())?;
        if from >= self.journal_from {
            return Ok(self.plan_journal(from, limit));
        }
        let run = self.runs.at_or_behind(from);
        let next = run.map_or(self.journal_from, |run| run.base.max(from));
        if next > from && !self.forgotten.cover(&(from..next)) {
            return Err(self.lost(from..next));
        }
        Ok(match run {
            Some(run) => Plan::Segment(run.clone(), next),
            None => self.plan_journal(next, limit),
        })
    }

    fn plan_journal(&self, from: Offset, limit: ReadLimit) -> Plan {
        let (mut places, mut entries) = (Vec::new(), Vec::new());
        let mut room = Room::new(limit);
        let memory_from = self.cached.front().map_or(self.end, |(_, e)| e.base_offset);
        if from < memory_from {
            let on_disk = self.index.from(from);
            for (base, slot) in on_disk.take_while(|(base, _)| *base < memory_from) {
                if !room.takes(slot.extent.body_length as usize) {
                    return Plan::Journal(places, entries);
                }
                places.push((base, slot.extent));
            }
        }
        let covering = |(_, entry): &(u64, Entry)| entry.end_offset() <= from;
        let first = self.cached.partition_point(covering);
        for (_, entry) in self.cached.range(first..) {
            if !room.takes(entry.body().len()) {
                break;
            }
            entries.push(entry.clone());
        }
        Plan::Journal(places, entries)
    }

    fn lost(&self, range: Range<Offset>) -> Error {
        let message = format!(
            "offsets {} to {} are lost: the segment that held them is damaged or gone",
            range.start,
            range.end.0 - 1
        );
        Error::new(ErrorKind::Corrupt, "read log", message)
    }

    /// Runs that may hold an entry whose time is at or after `at`.
    pub(crate) fn runs_at_time(&self, at: Millis) -> Vec<Run> {
        let runs = self.runs.iter().filter(|run| run.latest >= at.0);
        runs.cloned().collect()
    }

    /// The first entry in the journal whose time is at or after `at`.
    pub(crate) fn at_time(&self, at: Millis) -> Option<Offset> {
        let (first, _) = self.index.from(self.start.max(self.journal_from)).next()?;
        self.index.at_time(first, at)
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

/// What is left of a read's limit.
pub(crate) struct Room {
    octets: usize,
    entries: usize,
    first: bool,
}

impl Room {
    pub(crate) fn new(limit: ReadLimit) -> Self {
        Self {
            octets: limit.bytes,
            entries: limit.entries.clamp(1, READ_ENTRIES),
            first: true,
        }
    }

    /// Whether one more entry of `octets` goes in; the first always does.
    pub(crate) fn takes(&mut self, octets: usize) -> bool {
        if !self.first && (self.entries == 0 || self.octets < octets) {
            return false;
        }
        self.first = false;
        self.entries = self.entries.saturating_sub(1);
        self.octets = self.octets.saturating_sub(octets);
        true
    }
}

/// Checks that `from` is within a log.
///
/// # Errors
/// `NotFound` where it is not.
pub(crate) fn check_range(from: Offset, bounds: LogBounds) -> Result<()> {
    if bounds.start <= from && from <= bounds.end {
        return Ok(());
    }
    let message = format!(
        "offset {from} is outside the log, which holds {} to {}",
        bounds.start, bounds.end
    );
    Err(Error::new(ErrorKind::NotFound, "read log", message))
}
