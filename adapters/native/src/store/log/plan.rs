//! How a read of a log goes.

use standpipe_core::{
    entry::Entry,
    error::{Error, ErrorKind, Result},
    id::Offset,
    store::{LogBounds, ReadLimit},
};

use super::Log;
use crate::store::{record::Extent, segment::Run};

/// Entries that one read looks up at most, so that appends do not wait long behind it.
const READ_ENTRIES: usize = 4096;

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

impl Log {
    /// Where a read from `from` begins: behind what nobody needs.
    pub(crate) fn behind_forgotten(&self, from: Offset) -> Offset {
        self.forgotten.end_of(from)
    }

    /// Takes out what no reader needs, though it may still be there.
    pub(crate) fn retain_needed(&self, entries: &mut Vec<Entry>) {
        entries.retain(|entry| self.is_needed(&(entry.base_offset..entry.end_offset())));
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
            return Err(self.loss.read_error(&(from..next)));
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
fn check_range(from: Offset, bounds: LogBounds) -> Result<()> {
    if bounds.start <= from && from <= bounds.end {
        return Ok(());
    }
    let message = format!(
        "offset {from} is outside the log, which holds {} to {}",
        bounds.start, bounds.end
    );
    Err(Error::new(ErrorKind::NotFound, "read log", message))
}
