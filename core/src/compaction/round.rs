//! One round over one log.

use std::ops::Range;

use foldhash::{HashSet, HashSetExt};

use super::{
    Compaction, Fit, Key, Part, Progress, Record, Verdict, key_map::KeyMap, progress::Swept,
};
use crate::id::{Millis, Offset};

/// The part of a map that tombstones may have once the new messages are in it.
const FOR_TOMBSTONES: usize = 8;

/// The part of a log that a round is about.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// The log's start.
    pub start: Offset,
    /// Nothing at or beyond it may be touched.
    pub stable: Offset,
}

/// What a round wants to be shown next: the entries that begin below the end of `range`, from the
/// one that covers its start on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Where.
    pub range: Range<Offset>,
    phase: Phase,
}

/// What a round does: it maps the newest of the keys that are new, then the tombstones that had their
/// grace, and then walks over all that the map knows something newer of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Map,
    Tombstones,
    Sweep,
    Done,
}

/// A round over one log. Ask it what to show it, show it that, and do what it says of each entry:
/// in the order in which it says so, since a tombstone must not go before what it replaces.
#[derive(Debug)]
pub struct Round {
    policy: Compaction,
    progress: Progress,
    span: Span,
    now: Millis,
    phase: Phase,
    at: Offset,
    map: KeyMap,
    room: usize,
    /// Keys that have something older than a tombstone of theirs: that is not to go yet.
    lingering: HashSet<Key>,
    /// Whether there may be something older of any key.
    blind: bool,
    matured: Offset,
    swept: Swept,
}

impl Round {
    /// A round that goes on from `progress`, with a map of at most `room` keys (a single entry with
    /// more of them has room all the same).
    pub fn new(
        progress: Progress,
        span: Span,
        policy: Compaction,
        now: Millis,
        room: usize,
    ) -> Self {
        let clean = progress.clean().max(span.start);
        let tombstones = room / FOR_TOMBSTONES;
        Self {
            matured: progress.matured(now, &policy),
            policy,
            progress,
            span,
            now,
            phase: Phase::Map,
            at: clean,
            map: KeyMap::new(room - tombstones),
            room,
            lingering: HashSet::new(),
            blind: false,
            swept: Swept {
                clean,
                ..Swept::default()
            },
        }
        .settled()
    }

    /// What it wants to see; `None` once it is through.
    pub fn ask(&self) -> Option<Ask> {
        (self.phase != Phase::Done).then(|| Ask {
            range: self.at..self.end(),
            phase: self.phase,
        })
    }

    /// Whether what was asked for is still wanted.
    pub fn wants(&self, ask: &Ask) -> bool {
        self.phase == ask.phase && self.at < ask.range.end
    }

    /// Shows it an entry. The verdict is to be carried out before what comes after it.
    pub fn take(&mut self, part: &Part) -> Verdict {
        let (verdict, has_room) = match self.phase {
            Phase::Map => (Verdict::Keep, self.map_newest(part)),
            Phase::Tombstones => (Verdict::Keep, self.map_tombstones(part)),
            Phase::Sweep => (self.sweep(part), true),
            Phase::Done => (Verdict::Keep, true),
        };
        if has_room {
            self.pass(part.range.end);
        } else {
            self.turn();
            self.pass(self.at);
        }
        verdict
    }

    /// There is no entry from where it is up to `end`.
    pub fn pass(&mut self, end: Offset) {
        self.at = self.at.max(end);
        match self.phase {
            Phase::Map => self.swept.clean = self.at,
            Phase::Tombstones => self.swept.passed = self.at,
            Phase::Sweep | Phase::Done => {}
        }
        while self.phase != Phase::Done && self.at >= self.end() {
            self.turn();
        }
    }

    /// How far the log is compacted now; to be stored after all that was said. `None` where nothing
    /// was there to do.
    pub fn progress(&self, now: Millis) -> Option<Progress> {
        if self.is_idle() {
            return None;
        }
        let mut progress = self.progress.clone();
        progress.advance(&self.swept, now, &self.policy);
        Some(progress)
    }

    fn settled(mut self) -> Self {
        self.pass(self.at);
        self
    }

    fn end(&self) -> Offset {
        match self.phase {
            Phase::Map => self.span.stable,
            Phase::Tombstones => self.matured,
            Phase::Sweep | Phase::Done => self.swept.clean,
        }
    }

    /// The next phase.
    fn turn(&mut self) {
        self.at = self.span.start;
        self.phase = match self.phase {
            Phase::Map if self.is_idle() => Phase::Done,
            Phase::Map => {
                self.map.set_room(self.room);
                Phase::Tombstones
            }
            Phase::Tombstones => Phase::Sweep,
            Phase::Sweep | Phase::Done => Phase::Done,
        };
    }

    /// Whether nothing is new and no more tombstones had their grace than when it was last looked.
    fn is_idle(&self) -> bool {
        self.swept.clean <= self.progress.clean() && self.matured <= self.progress.passed()
    }

    /// `false` where an entry is too young or has no room.
    fn map_newest(&mut self, part: &Part) -> bool {
        let young = i64::try_from(self.policy.lag_ms).unwrap_or(i64::MAX);
        if self.policy.lag_ms > 0 && self.now.0.saturating_sub(part.appended.0) < young {
            return false;
        }
        let records = part.records.as_deref().unwrap_or_default();
        if !self.map.is_empty() && !self.map.has_room_for(records.len()) {
            return false;
        }
        for record in records {
            if let Some(key) = record.key {
                self.map.insert(key, record.offset);
            }
        }
        true
    }

    fn map_tombstones(&mut self, part: &Part) -> bool {
        let records = part.records.as_deref().unwrap_or_default();
        let tombstones = records.iter().filter(|record| record.is_tombstone);
        for record in tombstones.filter(|record| record.offset < self.matured) {
            let Some(key) = record.key else { continue };
            if self.map.get(key).is_none() && !self.map.has_room_for(1) {
                return false;
            }
            self.map.insert(key, record.offset);
        }
        true
    }

    fn sweep(&mut self, part: &Part) -> Verdict {
        let Some(records) = &part.records else {
            self.blind = true;
            self.swept.kept += 1;
            return Verdict::Keep;
        };
        let stays = |record: &&Record| part.fit == Fit::Held || self.stays(record);
        let staying: Vec<_> = records.iter().filter(stays).copied().collect();
        let left = match part.fit {
            Fit::Whole | Fit::Held if !staying.is_empty() => records,
            _ => &staying,
        };
        for record in records {
            self.note_older(record, part.range.end, left.len() < records.len());
        }
        if left.is_empty() && !records.is_empty() {
            return Verdict::Forget;
        }
        self.swept.kept += left.len() as u64;
        let tombstones = left.iter().filter(|record| record.is_tombstone);
        self.swept.tombstones += tombstones.count() as u64;
        if left.len() == records.len() {
            return Verdict::Keep;
        }
        Verdict::Shrink(staying.iter().map(|record| record.offset).collect())
    }

    fn stays(&self, record: &Record) -> bool {
        let Some(newest) = record.key.and_then(|key| self.map.get(key)) else {
            return true;
        };
        if newest != record.offset {
            return newest < record.offset;
        }
        let lingers = self.blind || record.key.is_some_and(|key| self.lingering.contains(&key));
        !record.is_tombstone || record.offset >= self.matured || lingers
    }

    /// A key that has something older than its tombstone: it goes only now, or stays. Who reads an
    /// entry reads all of it, so that one which holds both is no matter.
    fn note_older(&mut self, record: &Record, end: Offset, goes: bool) {
        let Some(key) = record.key else {
            return;
        };
        let newest = self.map.get(key).filter(|newest| *newest >= end);
        if newest.is_none_or(|newest| newest >= self.matured) {
            return;
        }
        self.swept.is_late |= goes;
        if self.lingering.len() < self.room {
            self.lingering.insert(key);
        } else {
            self.blind = true;
        }
    }
}
