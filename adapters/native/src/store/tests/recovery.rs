//! What a store finds when it is opened again.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use standpipe_core::{
    entry::{Draft, Format},
    error::ErrorKind,
    id::{Millis, Offset},
    store::{Durability, Expect, Op, Store},
};

use super::{ALL, append, commit, log, sim::SimDisk};
use crate::store::{NativeStore, StoreOptions, position::journal_name};

pub(super) fn small() -> StoreOptions {
    StoreOptions {
        file_size: 16 * 1024,
        journal_bytes: 64 * 1024,
        tail_bytes: 4 * 1024,
        pending_bytes: 1024 * 1024,
        thinning: Duration::ZERO,
    }
}

pub(super) fn open(disk: &SimDisk) -> Arc<NativeStore> {
    NativeStore::start(Arc::new(disk.clone()), None, &small()).unwrap()
}

#[tokio::test]
async fn a_store_on_a_real_disk_opens_again_with_all_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let bodies: Vec<Bytes> = (0..200u32)
        .map(|n| Bytes::from(vec![n as u8; (n * n) as usize]))
        .collect();
    let options = StoreOptions {
        pending_bytes: 64 * 1024 * 1024,
        journal_bytes: u64::MAX,
        ..small()
    };
    let store = NativeStore::open(directory.path(), options.clone()).unwrap();
    let mut last = None;
    for body in &bodies {
        let ops = vec![append(log(1), body.clone()), append(log(2), body.clone())];
        last = Some(store.submit(commit(Durability::Disk, ops)).unwrap().seq);
    }
    store
        .durable(last.unwrap(), Durability::Disk)
        .await
        .unwrap();
    store.close().await.unwrap();
    let reopened = NativeStore::open(directory.path(), options).unwrap();
    for id in [log(1), log(2)] {
        let entries = reopened.read(id, Offset::ZERO, ALL).await.unwrap();
        let read: Vec<_> = entries.iter().map(|entry| entry.body().clone()).collect();
        assert_eq!(read, bodies);
    }
    let stored: u64 = std::fs::read_dir(directory.path())
        .unwrap()
        .map(Result::unwrap)
        .filter(|file| file.file_name() != "reserve")
        .map(|file| file.metadata().unwrap().len())
        .sum();
    let once: usize = bodies.iter().map(Bytes::len).sum();
    assert!(
        stored < once as u64 * 5 / 4,
        "bodies are written once: {stored} for {once}"
    );
}

#[tokio::test]
async fn a_second_store_on_one_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let first = NativeStore::open(directory.path(), small()).unwrap();
    let refused = NativeStore::open(directory.path(), small()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Denied);
    first.close().await.unwrap();
    NativeStore::open(directory.path(), small()).unwrap();
}

#[tokio::test]
async fn the_leader_epoch_rises_with_each_run_that_wrote() {
    let disk = SimDisk::default();
    for expected in 0..3 {
        let store = open(&disk);
        let submitted = store.submit(commit(Durability::Disk, vec![append(log(1), "x")]));
        let placed = submitted.unwrap().placed[0];
        assert_eq!(
            (placed.leader_epoch, placed.base_offset.0),
            (expected, u64::from(expected))
        );
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_damaged_body_closes_its_log_and_no_other() {
    let disk = SimDisk::default();
    let store = open(&disk);
    for n in 0..10u8 {
        let ops = vec![
            append(log(1), vec![n; 100]),
            append(log(2), vec![b'x'; 100]),
        ];
        store.submit(commit(Durability::Disk, ops)).unwrap();
    }
    store.close().await.unwrap();
    drop(store);
    let place = disk
        .octets(&journal_name(1))
        .windows(100)
        .position(|w| w == [7; 100]);
    disk.flip(&journal_name(1), place.unwrap() + 50);
    let store = open(&disk);
    let refused = store.submit(commit(Durability::Disk, vec![append(log(1), "y")]));
    let refused = refused.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Corrupt);
    assert!(refused.message().contains("offset 7"), "{refused}");
    assert!(
        store
            .submit(commit(Durability::Disk, vec![append(log(2), "y")]))
            .is_ok()
    );
    let read = store.read(log(1), Offset(7), ALL).await.unwrap_err();
    assert_eq!(read.kind(), ErrorKind::Corrupt);
    assert!(read.message().contains(&journal_name(1)), "{read}");
    assert_eq!(store.read(log(1), Offset(8), ALL).await.unwrap().len(), 2);
    assert_eq!(
        store.read(log(2), Offset::ZERO, ALL).await.unwrap().len(),
        11
    );
}

async fn ten_commits(disk: &SimDisk) {
    let store = open(disk);
    for _ in 0..10 {
        store
            .submit(commit(Durability::Disk, vec![append(log(1), "body")]))
            .unwrap();
    }
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_flipped_bit_outside_the_bodies_is_mended_for_good() {
    let disk = SimDisk::default();
    ten_commits(&disk).await;
    let whole = disk.octets(&journal_name(1));
    for octet in [9, 33, 64 + 3, 64 + 5, 64 + 48, 64 + 48 + 5, 64 + 48 + 27] {
        disk.flip(&journal_name(1), octet);
        let store = open(&disk);
        let read = store.read(log(1), Offset::ZERO, ALL).await.unwrap();
        assert_eq!(read.len(), 10, "octet {octet}");
        drop(store);
        assert_eq!(disk.octets(&journal_name(1))[octet], whole[octet]);
    }
}

#[tokio::test]
async fn a_damaged_record_below_the_synced_position_keeps_the_store_closed() {
    let disk = SimDisk::default();
    ten_commits(&disk).await;
    for octet in [64 + 3, 64 + 48 + 5, 64 + 48 + 30] {
        (0..3).for_each(|more| disk.flip(&journal_name(1), octet + more));
        let refused = NativeStore::start(Arc::new(disk.clone()), None, &small()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Corrupt);
        assert!(
            refused.message().contains("0000000001.journal at 64"),
            "{refused}"
        );
        (0..3).for_each(|more| disk.flip(&journal_name(1), octet + more));
    }
    open(&disk);
}

#[tokio::test]
async fn every_step_comes_back() {
    let disk = SimDisk::default();
    let store = open(&disk);
    let put = |key: &'static str, value: Option<&'static str>| Op::PutIf {
        key: Bytes::from_static(key.as_bytes()),
        expect: Expect::Any,
        value: value.map(|value| Bytes::from_static(value.as_bytes())),
    };
    let mut draft = Draft::batch(Format::KAFKA2, Bytes::from_static(b"batch"), 5);
    draft.created = Some((Millis(5), Millis(9)));
    let batch = Op::Append { log: log(1), draft };
    let ops = vec![
        put("a", Some("1")),
        put("b", Some("2")),
        batch,
        append(log(2), "gone"),
    ];
    store.submit(commit(Durability::Disk, ops)).unwrap();
    let below = Offset(5);
    let ops = vec![
        put("a", None),
        append(log(1), "next"),
        Op::Trim { log: log(1), below },
        Op::DropLog { log: log(2) },
    ];
    store.submit(commit(Durability::Disk, ops)).unwrap();
    store.close().await.unwrap();
    drop(store);
    let store = open(&disk);
    assert_eq!(store.get(Bytes::from_static(b"a")).await.unwrap(), None);
    assert_eq!(store.scan(Bytes::new()).await.unwrap().len(), 1);
    let bounds = store.bounds(log(1)).await.unwrap();
    assert_eq!((bounds.start, bounds.end), (Offset(5), Offset(6)));
    assert_eq!(store.bounds(log(2)).await.unwrap().end, Offset::ZERO);
    let entries = store.read(log(1), below, ALL).await.unwrap();
    assert_eq!(entries[0].body(), "next");
}

#[tokio::test]
async fn a_record_that_begins_a_block_is_found_again() {
    let disk = SimDisk::default();
    let options = StoreOptions {
        file_size: 1024 * 1024,
        ..small()
    };
    let open = || NativeStore::start(Arc::new(disk.clone()), None, &options).unwrap();
    let store = open();
    let body = Bytes::from(vec![7; 10_000]);
    for _ in 0..50 {
        let ops = vec![append(log(1), body.clone()), append(log(1), "small")];
        let seq = store.submit(commit(Durability::Disk, ops)).unwrap().seq;
        store.durable(seq, Durability::Disk).await.unwrap();
    }
    let journal = disk.octets(&journal_name(1));
    let begins = |block: &&[u8]| block[..4] == journal[64..68];
    assert_eq!(
        journal.chunks(4096).filter(begins).count(),
        49,
        "all but the first"
    );
    drop(store);
    for _ in 0..2 {
        let read = open().read(log(1), Offset::ZERO, ALL).await.unwrap();
        assert_eq!(read.len(), 100);
    }
}
