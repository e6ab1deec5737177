//! Tests of the whole store.

mod accept;
mod batches;
mod checkpoints;
mod directory;
mod fan_out;
mod faults;
mod filled;
mod flips;
mod frames;
mod freed;
mod full;
mod gate;
mod goes_on;
mod held;
mod idle;
mod inspect;
mod known;
mod model;
mod panics;
mod power;
mod recovery;
mod reopen;
mod segments;
mod sim;
mod spans;
mod targets;
mod thin;

use bytes::Bytes;
use standpipe_core::{
    entry::{Draft, Entry, Format},
    id::{LogId, Offset, PartitionId, TopicId},
    store::{Commit, Durability, Epoch, Op, ReadLimit, Store},
};
use uuid::Uuid;

use super::{
    NativeStore, checkpoint::checkpoint_number, position::journal_number, segment::segment_number,
};
use sim::SimDisk;

pub(super) const ALL: ReadLimit = ReadLimit {
    bytes: usize::MAX,
    entries: usize::MAX,
};

pub(super) fn log(n: u128) -> LogId {
    LogId {
        topic: TopicId(Uuid::from_u128(n)),
        partition: PartitionId(0),
    }
}

pub(super) fn append(log: LogId, body: impl Into<Bytes>) -> Op {
    Op::Append {
        log,
        draft: Draft::single(Format::NATIVE, body.into()),
    }
}

pub(super) fn is_segment(name: &str) -> bool {
    segment_number(name).is_some()
}

pub(super) fn is_journal(name: &str) -> bool {
    journal_number(name).is_some()
}

/// The number of the newest checkpoint.
fn newest_checkpoint(disk: &SimDisk) -> u64 {
    let names = disk.file_names();
    let numbers = names.iter().filter_map(|name| checkpoint_number(name));
    numbers.max().unwrap()
}

/// How many of the names are of a kind.
pub(super) fn count(names: &[String], kind: fn(&str) -> bool) -> usize {
    names.iter().filter(|name| kind(name)).count()
}

/// Everything that a log holds from `from` on.
pub(super) async fn read_all(store: &NativeStore, log: LogId, from: Offset) -> Vec<Entry> {
    let (mut entries, mut next) = (Vec::new(), from);
    loop {
        let more = store.read(log, next, ALL).await.unwrap();
        let Some(last) = more.last() else {
            return entries;
        };
        next = last.end_offset();
        entries.extend(more);
    }
}

pub(super) fn commit(durability: Durability, ops: Vec<Op>) -> Commit {
    Commit {
        ops,
        durability,
        epoch: Epoch(1),
    }
}
