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
                octets: log.octets(),
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
        if commit.ops.iter().any(|op| matches!(op, Op::Append { .. })) {
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
                self.held += ENTRY + draft.body.len() as u64;
                return Some(self.log(log).append(draft));
            }
            Op::Trim { log, below } => self.held -= self.log(log).trim(below),
            Op::Forget { log, range } => self.held -= self.log(log).forget(&range),
            Op::DropLog { log } => {
                let gone = self.logs.remove(&log).unwrap_or_default();
                self.held -= gone.entries.values().map(footprint).sum::<u64>();
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
        self.entries.insert(entry.base_offset, entry);
        placed
    }

    /// Returns the octets that are free for it.
    fn trim(&mut self, below: Offset) -> u64 {
        let mut free = 0;
        self.start = self.start.max(below.min(self.end));
        while let Some(first) = self.entries.first_entry() {
            if first.get().end_offset() > self.start {
                break;
            }
            free += footprint(&first.remove());
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
        let gone = gone.iter().filter_map(|base| self.entries.remove(base));
        gone.map(|entry| footprint(&entry)).sum()
    }

    fn octets(&self) -> u64 {
        let bodies = self.entries.values().map(|entry| entry.body().len() as u64);
        bodies.sum()
    }

    fn trim_point(&self, keep: Keep) -> Offset {
        let mut over = match keep {
            Keep::Octets(octets) => self.octets().saturating_sub(octets),
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

fn footprint(entry: &Entry) -> u64 {
    ENTRY + entry.body().len() as u64
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
        let log = LogId {
            topic: TopicId::random(),
            partition: PartitionId(0),
        };
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
        let log = LogId {
            topic: TopicId::random(),
            partition: PartitionId(0),
        };
        let draft = Draft::batch(Format::NATIVE, Bytes::from_static(&[0; 100]), 10);
        let append = Op::Append { log, draft };
        store.submit(commit(vec![append; 3])).unwrap();
        for (octets, below) in [(0, 30), (1, 20), (100, 20), (101, 10), (300, 0), (999, 0)] {
            let point = store.trim_point(log, Keep::Octets(octets)).await.unwrap();
            assert_eq!(point, Offset(below), "for {octets} octets");
        }
    }

    #[tokio::test]
    async fn a_bound_refuses_appends_until_entries_go() {
        let store = MemoryStore::bounded(3 * (ENTRY + 1));
        let log = |topic| LogId {
            topic,
            partition: PartitionId(0),
        };
        let (one, two) = (log(TopicId::random()), log(TopicId::random()));
        let append = |log| Op::Append {
            log,
            draft: Draft::single(Format::NATIVE, Bytes::from_static(b"x")),
        };
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
