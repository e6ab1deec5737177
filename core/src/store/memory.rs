//! A store in memory: for tests, `--ephemeral`, and topics that end with the process.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use super::{
    Commit, CommitSeq, Durability, Epoch, Expect, Keep, LogBounds, Op, Placed, ReadLimit, Store,
    Submitted,
};
use crate::{
    entry::{Draft, Entry},
    error::{Error, ErrorKind, Result},
    id::{CursorId, LogId, Millis, Offset},
};

/// What an entry takes besides its body. A tree that is filled in order is about half full.
const ENTRY: u64 = 2 * size_of::<(Offset, Entry)>() as u64;

/// Logs, keys and cursors in memory. Everything is as durable as it gets at once.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    seq: u64,
    epoch: Epoch,
    closed: bool,
    /// Octets that entries take, as [`footprint`] has it; a body that logs share counts in each.
    held: u64,
    limit: Option<u64>,
    logs: HashMap<LogId, Log>,
    keys: BTreeMap<Bytes, Bytes>,
    cursors: HashMap<CursorId, Vec<Bytes>>,
}

#[derive(Debug, Default)]
struct Log {
    start: Offset,
    end: Offset,
    appended: Millis,
    entries: BTreeMap<Offset, Entry>,
    /// Octets of their bodies.
    octets: u64,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store that refuses appends while its entries take `octets` or more.
    pub fn bounded(octets: u64) -> Self {
        Self(Mutex::new(State {
            limit: Some(octets),
            ..State::default()
        }))
    }

    /// Whether an append is taken now.
    ///
    /// # Errors
    /// `Throttled` at the limit.
    pub fn check_room(&self) -> Result<()> {
        self.0.lock().check_room()
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn submit(&self, commit: Commit) -> Result<Submitted> {
        let mut state = self.0.lock();
        state.check(&commit)?;
        state.epoch = commit.epoch;
        state.seq += 1;
        let placed = commit
            .ops
            .into_iter()
            .filter_map(|op| state.apply(op))
            .collect();
        Ok(Submitted {
            seq: CommitSeq(state.seq),
            placed,
        })
    }

    async fn durable(&self, _seq: CommitSeq, _level: Durability) -> Result<()> {
        Ok(())
    }

    async fn read(&self, log: LogId, from: Offset, limit: ReadLimit) -> Result<Vec<Entry>> {
        let state = self.0.lock();
        let Some(log) = state.logs.get(&log) else {
            return check_range(from, Offset::ZERO, Offset::ZERO).map(|()| Vec::new());
        };
        check_range(from, log.start, log.end)?;
        Ok(log.read(from, limit))
    }

    async fn bounds(&self, log: LogId) -> Result<LogBounds> {
        let state = self.0.lock();
        Ok(state
            .logs
            .get(&log)
            .map_or_else(LogBounds::default, |log| LogBounds {
                start: log.start,
                end: log.end,
                octets: log.octets,
            }))
    }

    async fn trim_point(&self, log: LogId, keep: Keep) -> Result<Offset> {
        let state = self.0.lock();
        Ok(state
            .logs
            .get(&log)
            .map_or(Offset::ZERO, |log| log.trim_point(keep)))
    }

    async fn entry_for_time(&self, log: LogId, at: Millis) -> Result<Option<Entry>> {
        let state = self.0.lock();
        let mut entries = state.logs.get(&log).into_iter().flat_map(Log::visible);
        Ok(entries.find(|entry| entry.time() >= at).cloned())
    }

    async fn get(&self, key: Bytes) -> Result<Option<Bytes>> {
        Ok(self.0.lock().keys.get(&key).cloned())
    }

    async fn scan(&self, prefix: Bytes) -> Result<Vec<(Bytes, Bytes)>> {
        let state = self.0.lock();
        let from = state.keys.range(prefix.clone()..);
        Ok(from
            .take_while(|(key, _)| key.starts_with(&prefix))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect())
    }

    async fn cursor(&self, cursor: CursorId) -> Result<Vec<Bytes>> {
        Ok(self
            .0
            .lock()
            .cursors
            .get(&cursor)
            .cloned()
            .unwrap_or_default())
    }

    async fn close(&self) -> Result<()> {
        self.0.lock().closed = true;
        Ok(())
    }
}

impl State {
    fn check(&self, commit: &Commit) -> Result<()> {
        let refuse = |kind, message: String| Err(Error::new(kind, "commit", message));
        if self.closed {
            return refuse(ErrorKind::Closed, "the store is closed".into());
        }
        if commit.epoch < self.epoch {
            let message = format!("epoch {} is fenced by {}", commit.epoch.0, self.epoch.0);
            return refuse(ErrorKind::Conflict, message);
        }
        // What moves takes no more room than it had.
        if commit.appends() && !commit.lets_go() {
            self.check_room()?;
        }
        for op in &commit.ops {
            match op {
                Op::Append { draft, .. } => draft.fields.check()?,
                Op::PutIf { key, expect, .. } if !expect.holds(self.keys.get(key)) => {
                    let message = format!("key {key:?} is not as expected");
                    return refuse(ErrorKind::Conflict, message);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn apply(&mut self, op: Op) -> Option<Placed> {
        match op {
            Op::Append { log, draft } => {
                self.held += footprint(draft.body.len() as u64);
                return Some(self.log(log).append(draft));
            }
            Op::Trim { log, below } => self.held -= self.log(log).trim(below),
            Op::Forget { log, range } => self.held -= self.log(log).forget(&range),
            Op::DropLog { log } => {
                let gone = self.logs.remove(&log).unwrap_or_default();
                self.held -= ENTRY * gone.entries.len() as u64 + gone.octets;
            }
            Op::PutIf { key, value, .. } => {
                match value {
                    Some(value) => self.keys.insert(key, value),
                    None => self.keys.remove(&key),
                };
            }
            Op::Cursor {
                cursor,
                change,
                reset,
            } => {
                let changes = self.cursors.entry(cursor).or_default();
                if reset {
                    changes.clear();
                }
                changes.push(change);
            }
            Op::DropCursor { cursor } => {
                self.cursors.remove(&cursor);
            }
        }
        None
    }

    fn check_room(&self) -> Result<()> {
        match self.limit {
            Some(limit) if self.held >= limit => {
                let held = self.held;
                let message = format!(
                    "messages in memory take {held} octets, the limit is {limit}: consume or delete some, or use durable queues"
                );
                Err(Error::new(ErrorKind::Throttled, "append", message))
            }
            _ => Ok(()),
        }
    }

    fn log(&mut self, log: LogId) -> &mut Log {
        self.logs.entry(log).or_default()
    }
}

impl Log {
    fn append(&mut self, draft: Draft) -> Placed {
        self.appended = self.appended.max(Millis::now());
        let entry = Entry {
            base_offset: self.end,
            appended: self.appended,
            leader_epoch: 0,
            draft,
        };
        let placed = Placed {
            base_offset: self.end,
            appended: self.appended,
            leader_epoch: 0,
        };
        self.end = entry.end_offset();
        self.octets += entry.body().len() as u64;
        self.entries.insert(entry.base_offset, entry);
        placed
    }

    /// Takes out an entry; returns the octets that are free for it.
    fn remove(&mut self, base: Offset) -> u64 {
        let gone = self.entries.remove(&base);
        gone.map_or(0, |entry| {
            let octets = entry.body().len() as u64;
            self.octets -= octets;
            footprint(octets)
        })
    }

    /// Returns the octets that are free for it.
    fn trim(&mut self, below: Offset) -> u64 {
        let mut free = 0;
        self.start = self.start.max(below.min(self.end));
        while let Some((base, first)) = self.entries.first_key_value() {
            if first.end_offset() > self.start {
                break;
            }
            let base = *base;
            free += self.remove(base);
        }
        free
    }

    /// Returns the octets that are free for it.
    fn forget(&mut self, range: &Range<Offset>) -> u64 {
        let inside = self.entries.range(range.clone());
        let gone: Vec<_> = inside
            .filter(|(_, entry)| entry.end_offset() <= range.end)
            .map(|(base, _)| *base)
            .collect();
        gone.into_iter().map(|base| self.remove(base)).sum()
    }

    fn trim_point(&self, keep: Keep) -> Offset {
        let mut over = match keep {
            Keep::Octets(octets) => self.octets.saturating_sub(octets),
            Keep::Since(_) => 0,
        };
        let goes = |entry: &&Entry| match keep {
            // An entry that lies across the limit stays: a batch is larger than a small limit.
            Keep::Octets(_) => {
                let left = over.checked_sub(entry.body().len() as u64);
                left.is_some_and(|left| {
                    over = left;
                    true
                })
            }
            Keep::Since(at) => entry.appended < at,
        };
        let gone = self.entries.values().take_while(goes).last();
        gone.map_or(self.start, Entry::end_offset)
    }

    fn visible(&self) -> impl Iterator<Item = &Entry> {
        self.entries
            .values()
            .filter(|entry| entry.draft.visible > 0)
    }

    fn read(&self, from: Offset, limit: ReadLimit) -> Vec<Entry> {
        let covering = self.entries.range(..=from).next_back();
        let first = covering
            .filter(|(_, entry)| entry.covers(from))
            .map_or(from, |(base, _)| *base);
        let mut bytes = 0;
        self.entries
            .range(first..)
            .take(limit.entries.max(1))
            .take_while(|(base, entry)| {
                bytes += entry.body().len();
                **base == first || bytes <= limit.bytes
            })
            .map(|(_, entry)| entry.clone())
            .collect()
    }
}

/// What an entry takes whose body has so many octets.
fn footprint(octets: u64) -> u64 {
    ENTRY + octets
}

impl Commit {
    /// Whether it appends anything.
    pub fn appends(&self) -> bool {
        let append = |op: &Op| matches!(op, Op::Append { .. });
        self.ops.iter().any(append)
    }

    /// Whether it takes entries away. One that appends as well moves them, as messages whose time has
    /// come: a store without room takes it where it can, since they are settled nowhere else.
    pub fn lets_go(&self) -> bool {
        let lets_go = |op: &Op| matches!(op, Op::Trim { .. } | Op::DropLog { .. });
        self.ops.iter().any(lets_go)
    }
}

impl Expect {
    /// Whether `current` is what this expects.
    pub fn holds(&self, current: Option<&Bytes>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => current.is_none(),
            Self::Is(expected) => current == Some(expected),
        }
    }
}

fn check_range(from: Offset, start: Offset, end: Offset) -> Result<()> {
    if start <= from && from <= end {
        return Ok(());
    }
    let message = format!("offset {from} is outside the log, which holds {start} to {end}");
    Err(Error::new(ErrorKind::NotFound, "read log", message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        entry::Format,
        id::{PartitionId, TopicId},
    };

    fn commit(ops: Vec<Op>) -> Commit {
        Commit {
            ops,
            durability: Durability::Disk,
            epoch: Epoch(1),
        }
    }

    #[tokio::test]
    async fn a_read_inside_a_batch_returns_the_batch() {
        let store = MemoryStore::new();
        let (log, _) = two_logs();
        let draft = Draft::batch(Format::NATIVE, Bytes::from_static(b"x"), 10);
        let append = Op::Append { log, draft };
        store.submit(commit(vec![append.clone(), append])).unwrap();
        let limit = ReadLimit {
            bytes: 1,
            entries: 9,
        };
        let read = store.read(log, Offset(13), limit).await.unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].base_offset, Offset(10));
        assert!(store.read(log, Offset(20), limit).await.unwrap().is_empty());
        assert!(store.read(log, Offset(21), limit).await.is_err());
    }

    #[tokio::test]
    async fn a_size_leaves_the_entry_that_lies_across_it() {
        let store = MemoryStore::new();
        let (log, _) = two_logs();
        let draft = Draft::batch(Format::NATIVE, Bytes::from_static(&[0; 100]), 10);
        let append = Op::Append { log, draft };
        store.submit(commit(vec![append; 3])).unwrap();
        for (octets, below) in [(0, 30), (1, 20), (100, 20), (101, 10), (300, 0), (999, 0)] {
            let point = store.trim_point(log, Keep::Octets(octets)).await.unwrap();
            assert_eq!(point, Offset(below), "for {octets} octets");
        }
    }

    fn two_logs() -> (LogId, LogId) {
        let log = |topic| LogId {
            topic,
            partition: PartitionId(0),
        };
        (log(TopicId::random()), log(TopicId::random()))
    }

    /// Appends an entry of one octet.
    fn append(log: LogId) -> Op {
        let draft = Draft::single(Format::NATIVE, Bytes::from_static(b"x"));
        Op::Append { log, draft }
    }

    #[tokio::test]
    async fn a_bound_refuses_appends_until_entries_go() {
        let store = MemoryStore::bounded(3 * (ENTRY + 1));
        let (one, two) = two_logs();
        let freeing = [
            Op::Trim {
                log: one,
                below: Offset(1),
            },
            Op::Forget {
                log: one,
                range: Offset(1)..Offset(2),
            },
            Op::DropLog { log: two },
        ];
        let fill = vec![append(one), append(one), append(two)];
        store.submit(commit(fill)).unwrap();
        for free in freeing {
            let refused = store.submit(commit(vec![append(one)])).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Throttled);
            store.submit(commit(vec![free])).unwrap();
            store.submit(commit(vec![append(one)])).unwrap();
        }
    }

    #[tokio::test]
    async fn at_the_bound_entries_still_move_from_log_to_log() {
        let store = MemoryStore::bounded(2 * (ENTRY + 1));
        let (one, two) = two_logs();
        let fill = vec![append(one), append(one)];
        store.submit(commit(fill)).unwrap();
        let below = Offset(1);
        for gone in [Op::Trim { log: one, below }, Op::DropLog { log: one }] {
            let refused = store.submit(commit(vec![append(two)])).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Throttled);
            store.submit(commit(vec![append(two), gone])).unwrap();
        }
        let octets = [one, two].map(|log| store.0.lock().logs.get(&log).map(|log| log.octets));
        assert_eq!(octets, [None, Some(2)]);
        assert_eq!(store.0.lock().held, 2 * (ENTRY + 1));
    }

    #[tokio::test]
    async fn a_commit_that_conflicts_changes_nothing() {
        let store = MemoryStore::new();
        let put = |key: &'static str, expect| Op::PutIf {
            key: Bytes::from_static(key.as_bytes()),
            expect,
            value: Some(Bytes::from_static(b"v")),
        };
        store
            .submit(commit(vec![put("a", Expect::Absent)]))
            .unwrap();
        let both = commit(vec![put("b", Expect::Any), put("a", Expect::Absent)]);
        assert_eq!(store.submit(both).unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(store.get(Bytes::from_static(b"b")).await.unwrap(), None);
    }
}
