//! How far a log is compacted.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Compaction;
use crate::{
    error::{Error, ErrorKind, Result},
    id::{Millis, Offset},
};

/// A log up to this size is worth looking at whatever little is new in it: that is one read.
const SMALL: u64 = 1 << 20;
/// A grace time is kept to this part of it: so many marks are remembered at most.
const MARKS: u64 = 8;

/// Where the last round got to, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// No message below is older than another one of its key below.
    clean: u64,
    /// Messages below `clean`, about.
    kept: u64,
    /// Tombstones below `clean`.
    tombstones: u64,
    /// What was clean when, in order: the grace of tombstones below it counts from then.
    marks: Vec<(u64, i64)>,
    /// Tombstones below were let go, as far as that was possible.
    passed: u64,
}

impl Progress {
    /// The first offset that no round has looked at.
    pub fn clean(&self) -> Offset {
        Offset(self.clean)
    }

    /// Tombstones below were let go, as far as that was possible.
    pub(super) fn passed(&self) -> Offset {
        Offset(self.passed)
    }

    /// Whether a round over a log with this stable end and size is worth it.
    pub fn is_due(&self, stable: Offset, octets: u64, now: Millis, policy: &Compaction) -> bool {
        let dirty = stable.0.saturating_sub(self.clean);
        let share =
            u128::from(dirty) * 1000 >= u128::from(policy.dirty) * u128::from(self.kept + dirty);
        let is_worth = dirty > 0 && (share || octets <= SMALL);
        is_worth || self.matured(now, policy).0 > self.passed
    }

    /// Tombstones below have had their grace.
    pub(super) fn matured(&self, now: Millis, policy: &Compaction) -> Offset {
        if self.tombstones == 0 {
            return Offset::ZERO;
        }
        let old = self
            .marks
            .iter()
            .rev()
            .find(|(_, at)| has_passed(*at, now, policy));
        Offset(old.map_or(0, |(below, _)| *below))
    }

    /// A round looked at all below `clean`.
    pub(super) fn advance(&mut self, swept: &Swept, now: Millis, policy: &Compaction) {
        self.clean = swept.clean.0;
        (self.kept, self.tombstones) = (swept.kept, swept.tombstones);
        self.passed = self.passed.max(swept.passed.0);
        if swept.is_late {
            self.passed = 0;
            self.marks.clear();
        }
        if self.tombstones == 0 {
            self.marks.clear();
            return;
        }
        let passed = self
            .marks
            .iter()
            .rposition(|(_, at)| has_passed(*at, now, policy));
        self.marks.drain(..passed.unwrap_or(0));
        let step = i64::try_from(policy.grace_ms / MARKS).unwrap_or(i64::MAX);
        if self
            .marks
            .last()
            .is_some_and(|(below, _)| *below == self.clean)
        {
            return;
        }
        // The newest mark moves on until it is far enough behind the one before it to stay.
        if let [.., (_, before), (_, at)] = self.marks[..]
            && at.saturating_sub(before) < step
        {
            self.marks.pop();
        }
        self.marks.push((self.clean, now.0));
    }

    /// What is stored.
    pub fn encode(&self) -> Bytes {
        serde_json::to_vec(self)
            .expect("progress is plain data")
            .into()
    }

    /// Reads what [`Progress::encode`] wrote.
    ///
    /// # Errors
    /// `Corrupt` where it does not read.
    pub fn decode(octets: &[u8]) -> Result<Self> {
        serde_json::from_slice(octets).map_err(|error| {
            let message = "the record of how far a log is compacted does not read";
            Error::new(ErrorKind::Corrupt, "compact log", message).with_source(error)
        })
    }
}

/// What a round found below `clean`.
#[derive(Debug, Default)]
pub(super) struct Swept {
    pub(super) clean: Offset,
    pub(super) kept: u64,
    pub(super) tombstones: u64,
    pub(super) passed: Offset,
    /// Whether something went only now that an old tombstone replaces: all grace begins again.
    pub(super) is_late: bool,
}

fn has_passed(at: i64, now: Millis, policy: &Compaction) -> bool {
    now.0.saturating_sub(at) >= i64::try_from(policy.grace_ms).unwrap_or(i64::MAX)
}
