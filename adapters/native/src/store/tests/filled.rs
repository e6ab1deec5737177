//! A store on real files with all that one holds, to damage.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Instant};

use bytes::Bytes;
use standpipe_core::{
    entry::{Draft, Entry, Format},
    error::ErrorKind,
    id::{CursorId, Offset, PartitionId, SubscriptionId},
    store::{Commit, CommitSeq, Durability, Expect, Op, Store},
};
use uuid::Uuid;

use super::{
    commit, count, is_journal, is_segment, log,
    sim::{PATIENCE, Random},
};
use crate::store::{NativeStore, StoreOptions};

const LOGS: u128 = 40;

/// A journal that is small beside the store: most of it moves into segments.
pub(super) fn options(octets: u64) -> StoreOptions {
    StoreOptions {
        file_size: (octets / 64) as u32,
        journal_bytes: octets / 8,
        ..StoreOptions::default()
    }
}

/// What was written: entries by log and first offset.
pub(super) struct Filled {
    pub(super) octets: u64,
    entries: BTreeMap<(u128, u64), (u64, Bytes)>,
    ends: BTreeMap<u128, u64>,
    starts: BTreeMap<u128, u64>,
}

impl Filled {
    /// Fills the store in `path` with about `octets` of bodies.
    pub(super) async fn new(path: &Path, octets: u64) -> Self {
        let mut filled = Self {
            octets,
            entries: BTreeMap::new(),
            ends: BTreeMap::new(),
            starts: BTreeMap::new(),
        };
        let store = NativeStore::open(path, options(octets)).unwrap();
        let mut random = Random(octets);
        let (mut written, mut seq) = (0, CommitSeq(0));
        while written < octets {
            let ops = filled.next(octets, &mut random, &mut written);
            seq = submit(&store, commit(Durability::Os, ops), seq).await;
        }
        store.durable(seq, Durability::Disk).await.unwrap();
        store.close().await.unwrap();
        drop(store);
        settle(path, octets).await;
        filled
    }

    pub(super) fn logs(&self) -> u128 {
        LOGS
    }

    /// Messages that are to be served.
    pub(super) fn messages(&self) -> u64 {
        self.ends.values().sum::<u64>() - self.starts.values().sum::<u64>()
    }

    pub(super) fn is_as_written(&self, log: u128, entry: &Entry) -> bool {
        let expected = self.entries.get(&(log, entry.base_offset.0));
        expected.is_some_and(|(end, body)| *end == entry.end_offset().0 && body == entry.body())
    }

    /// Appends to one to three logs, one body for all now and then, with a key and a cursor.
    fn next(&mut self, octets: u64, random: &mut Random, written: &mut u64) -> Vec<Op> {
        let mut ops = vec![key(random), cursor(random)];
        ops.truncate(random.below(3) as usize);
        let shared = (random.below(8) == 0).then(|| body(octets, random));
        for _ in 0..1 + random.below(3) {
            let n = u128::from(random.below(LOGS as u64));
            let body = shared.clone().unwrap_or_else(|| body(octets, random));
            let span = match random.below(2) {
                0 => 1,
                _ => 1 + random.below(500),
            };
            *written += body.len() as u64;
            let end = self.ends.entry(n).or_default();
            self.entries.insert((n, *end), (*end + span, body.clone()));
            *end += span;
            let draft = Draft::batch(Format::KAFKA2, body, span as u32);
            ops.push(Op::Append { log: log(n), draft });
            if n == 0 && random.below(50) == 0 {
                let below = *end / 2;
                self.starts.insert(n, below);
                let below = Offset(below);
                ops.push(Op::Trim { log: log(n), below });
            }
        }
        ops
    }
}

/// Mostly small ones; a few as large as a Kafka batch gets.
fn body(octets: u64, random: &mut Random) -> Bytes {
    let length = match random.below(100) {
        0 if octets > 50_000_000 => random.below(1_000_000),
        0..5 => random.below(60_000),
        5..30 => random.below(4_000),
        _ => random.below(400),
    };
    let mut body = vec![0; length as usize];
    for piece in body.chunks_mut(8) {
        let noise = random.below(u64::MAX).to_be_bytes();
        piece.copy_from_slice(&noise[..piece.len()]);
    }
    body.into()
}

fn key(random: &mut Random) -> Op {
    Op::PutIf {
        key: Bytes::from(format!("key/{}", random.below(200))),
        expect: Expect::Any,
        value: Some(Bytes::from(vec![7; random.below(300) as usize])),
    }
}

fn cursor(random: &mut Random) -> Op {
    let subscription = SubscriptionId(Uuid::from_u128(u128::from(random.below(50))));
    let partition = PartitionId(0);
    Op::Cursor {
        cursor: CursorId {
            subscription,
            partition,
        },
        change: Bytes::from(vec![9; 1 + random.below(200) as usize]),
        reset: random.below(10) == 0,
    }
}

async fn submit(store: &NativeStore, commit: Commit, before: CommitSeq) -> CommitSeq {
    loop {
        match store.submit(commit.clone()) {
            Ok(submitted) => return submitted.seq,
            Err(error) if error.kind() == ErrorKind::Throttled => {
                store.durable(before, Durability::Os).await.unwrap();
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// Opens it again, and waits until nothing is left to move: a store that is only looked at stays as it is.
async fn settle(path: &Path, octets: u64) {
    let options = options(octets);
    let store: Arc<NativeStore> = NativeStore::open(path, options.clone()).unwrap();
    let is_settled = || {
        let journals = count(&fs_names(path), is_journal) as u64;
        journals * 2 * u64::from(options.file_size) <= options.journal_bytes
    };
    let until = Instant::now() + PATIENCE;
    while !is_settled() {
        assert!(Instant::now() < until, "{:?}", fs_names(path));
        tokio::task::yield_now().await;
    }
    store.close().await.unwrap();
    assert!(fs_names(path).iter().any(|name| is_segment(name)));
}

pub(super) fn fs_names(path: &Path) -> Vec<String> {
    let files = std::fs::read_dir(path).unwrap().map(Result::unwrap);
    files
        .map(|file| file.file_name().into_string().unwrap())
        .collect()
}
