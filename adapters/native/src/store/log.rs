//! One log's state in memory.

use std::collections::VecDeque;

use standpipe_core::{
    entry::{Draft, Entry},
    error::{Error, ErrorKind, Result},
    id::{Millis, Offset},
    store::{LogBounds, Placed, ReadLimit},
};

use super::{index::Index, record::Extent};

/// Entries that one read looks up at most, so that appends do not wait long behind it.
const READ_ENTRIES: usize = 4096;

/// A log: its ends, where its entries lie, and the newest of them.
#[derive(Debug, Default)]
pub(crate) struct Log {
    start: Offset,
    end: Offset,
    appended: Millis,
    index: Index,
    /// The newest entries with the commits that brought them; all that is not written is here.
    cached: VecDeque<(u64, Entry)>,
    /// Set where recovery found damage; the log takes no more entries.
    damage: Option<Error>,
}

/// What a read needs: places on disk, then entries from memory.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) places: Vec<(Offset, Extent)>,
    pub(crate) entries: Vec<Entry>,
}

impl Log {
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
        Ok(())
    }

    /// Marks the log as damaged; the first damage is the one reported.
    pub(crate) fn damage(&mut self, error: Error) {
        self.damage.get_or_insert(error);
    }

    /// The damage that recovery found.
    pub(crate) fn damaged(&self) -> Option<&Error> {
        self.damage.as_ref()
    }

    pub(crate) fn bounds(&self) -> LogBounds {
        LogBounds {
            start: self.start,
            end: self.end,
            octets: self.sizes().map(|(_, octets)| octets).sum(),
        }
    }

    /// Bases of what is there, with the octets of the bodies.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = (Offset, u64)> + '_ {
        let slots = self.index.from(self.start);
        slots.map(|(base, slot)| (base, u64::from(slot.extent.body_length)))
    }

    /// Lets entries wholly below `below` go.
    pub(crate) fn trim(&mut self, below: Offset) {
        self.start = self.start.max(below.min(self.end));
        self.index.trim(self.start, self.end);
        let gone = |(_, entry): &(u64, Entry)| entry.end_offset() <= self.start;
        while self.cached.front().is_some_and(gone) {
            self.cached.pop_front();
        }
        if self.cached.is_empty() {
            self.cached = VecDeque::new();
        }
    }

    /// Lets the oldest cached entry go, if it is the one named.
    pub(crate) fn forget(&mut self, base: Offset, seq: u64) {
        let named = |(s, entry): &(u64, Entry)| *s == seq && entry.base_offset == base;
        if self.cached.front().is_some_and(named) {
            self.cached.pop_front();
        }
        if self.cached.is_empty() {
            self.cached = VecDeque::new();
        }
    }

    /// What a read from `from` returns.
    ///
    /// # Errors
    /// `NotFound` outside the log.
    pub(crate) fn plan(&self, from: Offset, limit: ReadLimit) -> Result<Plan> {
        check_range(from, self.bounds())?;
        let mut plan = Plan::default();
        if from == self.end {
            return Ok(plan);
        }
        let mut room = Room::new(limit);
        let memory_from = self.cached.front().map_or(self.end, |(_, e)| e.base_offset);
        if from < memory_from {
            let on_disk = self
                .index
                .from(from)
                .take_while(|(base, _)| *base < memory_from);
            for (base, slot) in on_disk {
                if !room.takes(slot.extent.body_length as usize) {
                    return Ok(plan);
                }
                plan.places.push((base, slot.extent));
            }
        }
        let covering = |(_, entry): &(u64, Entry)| entry.end_offset() <= from;
        let first = self.cached.partition_point(covering);
        for (_, entry) in self.cached.range(first..) {
            if !room.takes(entry.body().len()) {
                break;
            }
            plan.entries.push(entry.clone());
        }
        Ok(plan)
    }

    /// The first entry whose time is at or after `at`.
    pub(crate) fn at_time(&self, at: Millis) -> Option<Offset> {
        let (first, _) = self.index.from(self.start).next()?;
        self.index.at_time(first, at)
    }
}

/// What is left of a read's limit.
struct Room {
    octets: usize,
    entries: usize,
    first: bool,
}

impl Room {
    fn new(limit: ReadLimit) -> Self {
        Self {
            octets: limit.bytes,
            entries: limit.entries.clamp(1, READ_ENTRIES),
            first: true,
        }
    }

    /// Whether one more entry of `octets` goes in; the first always does.
    fn takes(&mut self, octets: usize) -> bool {
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
