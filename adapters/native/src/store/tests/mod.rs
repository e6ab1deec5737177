//! Tests of the whole store.

mod faults;
mod power;
mod recovery;
mod sim;

use bytes::Bytes;
use standpipe_core::{
    entry::{Draft, Format},
    id::{LogId, PartitionId, TopicId},
    store::{Commit, Durability, Epoch, Op, ReadLimit},
};
use uuid::Uuid;

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

pub(super) fn commit(durability: Durability, ops: Vec<Op>) -> Commit {
    Commit {
        ops,
        durability,
        epoch: Epoch(1),
    }
}
