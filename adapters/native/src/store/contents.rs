//! What a store holds, as of a commit: logs, keys and cursors.

use std::{collections::BTreeMap, ops::Range};

use bytes::Bytes;
use foldhash::HashMap;
use standpipe_core::{
    id::{CursorId, LogId, Offset},
    store::{Epoch, Op},
};

use super::{changes::Changes, log::Log, segment::Run};

/// Everything up to commit `seq`. Changed by commits, and by recovery in the same way.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// The last commit.
    pub(crate) seq: u64,
    /// The highest owner's epoch seen.
    pub(crate) epoch: Epoch,
    pub(crate) logs: HashMap<LogId, Log>,
    pub(crate) keys: BTreeMap<Bytes, Bytes>,
    pub(crate) cursors: HashMap<CursorId, Changes>,
    /// Runs that nobody needs once the commit named is on disk.
    pub(crate) gone: Vec<(u64, Run)>,
    /// How often something was let go of.
    pub(crate) cuts: u64,
}

impl Contents {
    /// A log, which comes into being here.
    pub(crate) fn log(&mut self, log: LogId) -> &mut Log {
        let seq = self.seq;
        self.logs.entry(log).or_insert_with(|| Log::new(seq))
    }

    pub(crate) fn trim(&mut self, log: LogId, below: Offset) {
        if let Some(log) = self.logs.get_mut(&log) {
            self.cuts += 1;
            let gone = log.trim(below);
            self.let_go(gone);
        }
    }

    fn forget(&mut self, log: LogId, range: &Range<Offset>) {
        if let Some(log) = self.logs.get_mut(&log) {
            self.cuts += 1;
            let gone = log.forget(range);
            self.let_go(gone);
        }
    }

    fn drop_log(&mut self, log: LogId) {
        if let Some(log) = self.logs.remove(&log) {
            self.cuts += 1;
            self.let_go(log.into_runs());
        }
    }

    /// Notes that nobody needs these once what was committed so far is on disk.
    pub(crate) fn let_go(&mut self, runs: Vec<Run>) {
        let seq = self.seq;
        self.gone.extend(runs.into_iter().map(|run| (seq, run)));
    }

    pub(crate) fn put(&mut self, key: Bytes, value: Option<Bytes>) {
        match value {
            Some(value) => self.keys.insert(key, value),
            None => self.keys.remove(&key),
        };
    }

    /// Applies a step that is no append.
    pub(crate) fn apply(&mut self, op: Op) {
        match op {
            Op::Append { .. } => unreachable!("appends are placed by the store's state"),
            Op::Trim { log, below } => self.trim(log, below),
            Op::Forget { log, range } => self.forget(log, &range),
            Op::DropLog { log } => self.drop_log(log),
            Op::PutIf { key, value, .. } => self.put(key, value),
            Op::Cursor {
                cursor,
                change,
                reset,
            } => self.cursors.entry(cursor).or_default().push(&change, reset),
            Op::DropCursor { cursor } => {
                self.cursors.remove(&cursor);
            }
        }
    }
}
