//! One body that goes to many logs.

use std::sync::Arc;

use bytes::Bytes;
use standpipe_core::{
    id::Offset,
    store::{Durability, Op, Store},
};

use super::{
    append, commit, log, read_all,
    recovery::{open, small},
    sim::SimDisk,
};
use crate::store::{NativeStore, StoreOptions, position::journal_name};

/// Appends one body to so many logs.
fn fan_out(body: &Bytes, logs: u128) -> Vec<Op> {
    (0..logs).map(|n| append(log(n), body.clone())).collect()
}

#[tokio::test]
async fn a_body_for_many_logs_counts_once_where_a_commit_is_held_against_the_limits() {
    let store = open(&SimDisk::default());
    // As 300 bodies it would be larger than any record.
    let large = Bytes::from(vec![7; 1024 * 1024]);
    let seq = store.submit(commit(Durability::Disk, fan_out(&large, 300)));
    let seq = seq.unwrap().seq;
    store.durable(seq, Durability::Disk).await.unwrap();
    for n in [0, 299] {
        let read = read_all(&store, log(n), Offset::ZERO).await;
        assert_eq!(*read[0].body(), large);
    }
}

#[tokio::test]
async fn a_body_for_many_logs_counts_once_in_what_waits_to_be_written() {
    let disk = SimDisk::default();
    let store = open(&disk);
    disk.hold_syncs(true);
    // The first file is not synced: all of it waits.
    let first = commit(Durability::Disk, vec![append(log(0), "a")]);
    store.submit(first).unwrap();
    let body = Bytes::from(vec![7; 64 * 1024]);
    let taken = store.submit(commit(Durability::Disk, fan_out(&body, 40)));
    disk.hold_syncs(false);
    let seq = taken.unwrap().seq;
    store.durable(seq, Durability::Disk).await.unwrap();
}

#[tokio::test]
async fn commits_of_one_body_for_many_logs_fill_a_file() {
    let options = StoreOptions {
        file_size: 512 * 1024,
        journal_bytes: 4 * 1024 * 1024,
        ..small()
    };
    let store = NativeStore::start(Arc::new(SimDisk::default()), None, &options).unwrap();
    for n in 0..20 {
        let body = Bytes::from(vec![n; 8 * 1024]);
        let seq = store.submit(commit(Durability::Os, fan_out(&body, 40)));
        let seq = seq.unwrap().seq;
        store.durable(seq, Durability::Os).await.unwrap();
    }
    assert_eq!(store.shared.state.lock().pending.end().file, 1);
}

#[tokio::test]
async fn what_lies_between_a_body_and_an_envelope_is_not_read_for_each_log() {
    const FILE: u32 = 4 * 1024 * 1024;
    const LOGS: u128 = 2000;
    let disk = SimDisk::default();
    let options = StoreOptions {
        file_size: FILE,
        journal_bytes: FILE.into(),
        ..small()
    };
    let store = NativeStore::start(Arc::new(disk.clone()), None, &options).unwrap();
    for n in 0..25 {
        let body = Bytes::from(vec![n; 100]);
        let seq = store.submit(commit(Durability::Os, fan_out(&body, LOGS)));
        let seq = seq.unwrap().seq;
        store.durable(seq, Durability::Os).await.unwrap();
    }
    disk.wait(|names| !names.contains(&journal_name(1)));
    let read = disk.journal_read();
    assert!(read < 4 * u64::from(FILE), "{read}");
    for n in [0, 40, LOGS - 1] {
        let read = read_all(&store, log(n), Offset::ZERO).await;
        let bodies = read.iter().map(|entry| entry.body()[0]);
        assert!(bodies.eq(0..25), "log {n}");
    }
}
