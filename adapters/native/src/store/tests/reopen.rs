//! A store that is opened again after a sync failed.

use standpipe_core::{
    error::ErrorKind,
    id::Offset,
    store::{Durability, Store},
};

use super::{append, commit, log, read_all, recovery::open, sim::SimDisk};

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

#[tokio::test]
async fn a_store_that_is_closed_has_not_failed() {
    let store = open(&SimDisk::default());
    store.close().await.unwrap();
    let failed = tokio::time::timeout(std::time::Duration::ZERO, store.failed());
    assert!(failed.await.is_err());
}
