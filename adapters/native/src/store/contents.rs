//! What a store holds, as of a commit: logs, keys and cursors.

use std::collections::BTreeMap;

use bytes::Bytes;
use foldhash::HashMap;
use standpipe_core::{
    id::{CursorId, LogId, Offset},
    store::{Epoch, Op},
};

use super::log::Log;

/// Everything up to commit `seq`. Changed by commits, and by recovery in the same way.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// The last commit.
    pub(crate) seq: u64,
    /// The highest owner's epoch seen.
    pub(crate) epoch: Epoch,
    pub(crate) logs: HashMap<LogId, Log>,
    pub(crate) keys: BTreeMap<Bytes, Bytes>,
    pub(crate) cursors: HashMap<CursorId, Vec<Bytes>>,
}

impl Contents {
    /// A log, which comes into being here.
    pub(crate) fn log(&mut self, log: LogId) -> &mut Log {
        self.logs.entry(log).or_default()
    }

    pub(crate) fn trim(&mut self, log: LogId, below: Offset) {
        if let Some(log) = self.logs.get_mut(&log) {
            log.trim(below);
        }
    }

    pub(crate) fn put(&mut self, key: Bytes, value: Option<Bytes>) {
        match value {
            Some(value) => self.keys.insert(key, value),
            None => self.keys.remove(&key),
        };
    }

    pub(crate) fn change(&mut self, cursor: CursorId, change: Bytes, reset: bool) {
        let changes = self.cursors.entry(cursor).or_default();
        if reset {
            changes.clear();
        }
        changes.push(change);
    }

    /// Applies a step that is no append.
    pub(crate) fn apply(&mut self, op: Op) {
        match op {
            Op::Append { .. } => unreachable!("appends are placed by the store's state"),
            Op::Trim { log, below } => self.trim(log, below),
            // Space comes back with the segments.
            Op::Forget { .. } => {}
            Op::DropLog { log } => {
                self.logs.remove(&log);
            }
            Op::PutIf { key, value, .. } => self.put(key, value),
            Op::Cursor {
                cursor,
                change,
                reset,
            } => self.change(cursor, change, reset),
            Op::DropCursor { cursor } => {
                self.cursors.remove(&cursor);
            }
        }
    }
}
