//! A store that is opened again after a sync failed.

use std::panic::AssertUnwindSafe;

use standpipe_core::{
    error::ErrorKind,
    id::Offset,
    store::{Durability, Store},
};

use super::{append, commit, log, read_all, recovery::open, sim::SimDisk};
use crate::store::NativeStore;

#[tokio::test]
async fn what_a_failed_sync_covered_is_written_again_before_it_is_served() {
    let disk = SimDisk::default();
    let store = open(&disk);
    let kept = commit(Durability::Disk, vec![append(log(1), "kept")]);
    let kept = store.submit(kept).unwrap();
    store.durable(kept.seq, Durability::Disk).await.unwrap();
    disk.fail_syncs(true);
    let covered = commit(Durability::Disk, vec![append(log(1), "covered")]);
    let covered = store.submit(covered).unwrap();
    let told = store.durable(covered.seq, Durability::Disk).await;
    assert_eq!(told.unwrap_err().kind(), ErrorKind::Unknown);
    let failed = store.failed().await;
    assert!(failed.message().contains("cannot sync"), "{failed}");
    disk.fail_syncs(false);
    // The first one may still have readers.
    let again = open(&disk);
    let served = read_all(&again, log(1), Offset::ZERO).await;
    assert_eq!(served.len(), 2);
    let next = commit(Durability::Disk, vec![append(log(1), "next")]);
    let next = again.submit(next).unwrap();
    again.durable(next.seq, Durability::Disk).await.unwrap();
    for seed in 0..20 {
        let after = open(&disk.after_cut(seed));
        let left = read_all(&after, log(1), Offset::ZERO).await;
        assert_eq!(left.len(), 3, "what was served stays");
    }
}

/// Appends an entry, which is on disk then.
async fn keep(store: &NativeStore) {
    let kept = store.submit(commit(Durability::Disk, vec![append(log(1), "kept")]));
    let seq = kept.unwrap().seq;
    store.durable(seq, Durability::Disk).await.unwrap();
}

#[tokio::test]
async fn a_commit_that_panics_ends_the_store_and_nothing_before_it_is_lost() {
    let disk = SimDisk::default();
    let store = open(&disk);
    keep(&store).await;
    let panics = || {
        store.shared.change(|state| {
            state.unfinished = true;
            state.pending.make_room(100, state.contents.seq);
            state.pending.record(1, |_| panic!("a bug"));
        });
    };
    std::panic::catch_unwind(AssertUnwindSafe(panics)).unwrap_err();
    let next = store.submit(commit(Durability::Disk, vec![append(log(1), "next")]));
    assert_eq!(next.unwrap_err().kind(), ErrorKind::Closed);
    let failed = store.failed().await;
    assert!(failed.message().contains("not finished"), "{failed}");
    for n in 1..4 {
        let store = open(&disk);
        assert_eq!(read_all(&store, log(1), Offset::ZERO).await.len(), n);
        keep(&store).await;
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_journal_thread_that_panics_ends_the_store_and_who_waits_is_told() {
    let disk = SimDisk::default();
    let store = open(&disk);
    keep(&store).await;
    disk.panic_in_syncs();
    let last = store.submit(commit(Durability::Disk, vec![append(log(1), "last")]));
    let last = last.unwrap().seq;
    let told = store.durable(last, Durability::Disk).await;
    assert_eq!(told.unwrap_err().kind(), ErrorKind::Unknown);
    let failed = store.failed().await;
    assert!(failed.message().contains("panicked"), "{failed}");
    let again = open(&disk.after_cut(0));
    assert_eq!(read_all(&again, log(1), Offset::ZERO).await.len(), 1);
}

#[tokio::test]
async fn a_store_that_is_closed_has_not_failed() {
    let store = open(&SimDisk::default());
    store.close().await.unwrap();
    let failed = tokio::time::timeout(std::time::Duration::ZERO, store.failed());
    assert!(failed.await.is_err());
}
