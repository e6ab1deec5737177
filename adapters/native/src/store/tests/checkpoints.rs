//! Checkpoints that the disk refuses.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use standpipe_core::{
    id::Offset,
    store::{Durability, Keep, Op, Store},
};

use super::{
    accept::count_all,
    append, commit, count,
    gate::{Gate, Step},
    log, newest_checkpoint, read_all,
    recovery::open,
    sim::SimDisk,
};
use crate::store::{
    NativeStore,
    checkpoint::{self, checkpoint_name, checkpoint_number},
    recovery::recover,
};

const ENTRIES: u32 = 400;

fn is_checkpoint(name: &str) -> bool {
    checkpoint_number(name).is_some()
}

/// Appends entries until files move into segments.
async fn fill(store: &NativeStore) {
    for n in 0..ENTRIES {
        let ops = vec![append(log(1), vec![n as u8; 200])];
        let seq = store.submit(commit(Durability::Disk, ops)).unwrap().seq;
        store.durable(seq, Durability::Disk).await.unwrap();
    }
}

#[tokio::test]
async fn a_checkpoint_whose_sync_failed_is_on_disk_before_it_replaces_another() {
    let disk = SimDisk::default();
    let store = open(&disk);
    fill(&store).await;
    disk.wait(|names| count(names, is_checkpoint) > 0);
    store.close().await.unwrap();
    drop(store);
    let newest = newest_checkpoint(&disk);
    // As the process leaves it that is killed after the sync failed.
    let octets = disk.octets(&checkpoint_name(newest));
    disk.fail_syncs(true);
    checkpoint::write(&disk, newest + 1, &octets).unwrap_err();
    disk.fail_syncs(false);
    recover(&disk).unwrap();
    assert!(!disk.file_names().contains(&checkpoint_name(newest)));
    for seed in 0..20 {
        let after = open(&disk.after_cut(seed));
        let left = read_all(&after, log(1), Offset::ZERO).await;
        assert_eq!(left.len(), ENTRIES as usize);
    }
}

#[tokio::test]
async fn a_checkpoint_that_cannot_be_written_leaves_no_file() {
    let (disk, tries) = (SimDisk::default(), Arc::new(AtomicUsize::new(0)));
    let counted = tries.clone();
    let gate = Gate::new(&disk, move |step, name| {
        if step == Step::Write && is_checkpoint(name) {
            counted.fetch_add(1, Ordering::Relaxed);
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    });
    let store = gate.start();
    fill(&store).await;
    disk.wait(|_| tries.load(Ordering::Relaxed) >= 2);
    let left = count(&disk.file_names(), is_checkpoint);
    assert!(left <= 1, "{left} checkpoints, none of which is whole");
}

#[tokio::test]
async fn what_a_checkpoint_counts_as_trimmed_counts_for_no_size_limit_when_it_is_read_again() {
    let disk = SimDisk::default();
    let store = open(&disk);
    let mut ops = vec![append(log(1), vec![7; 100]); 20];
    ops.push(Op::Trim {
        log: log(1),
        below: Offset(15),
    });
    let seq = store.submit(commit(Durability::Disk, ops)).unwrap().seq;
    store.durable(seq, Durability::Disk).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    count_all(&disk);
    let store = open(&disk);
    let bounds = store.bounds(log(1)).await.unwrap();
    assert_eq!((bounds.start, bounds.octets), (Offset(15), 500));
    for (octets, below) in [(500, 15), (300, 17)] {
        let point = store.trim_point(log(1), Keep::Octets(octets)).await;
        assert_eq!(point.unwrap(), Offset(below));
    }
}
