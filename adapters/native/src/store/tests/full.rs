//! What a store makes of a disk without room, and of one that only seems so.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use standpipe_core::{
    id::Offset,
    store::{Durability, Op, Store},
};
use tokio::sync::Semaphore;

use super::{
    append, commit,
    gate::{Gate, Step},
    log,
    recovery::open,
    sim::SimDisk,
};
use crate::store::{
    StoreOptions,
    ahead::{MakeError, make},
    header::{FILE_ID, FileId},
    position::journal_name,
    recovery::recover,
    reserve::Reserve,
    vfs::Disk,
};

const RESERVE: &str = "reserve";

#[tokio::test]
async fn too_many_open_files_are_no_full_disk() {
    const EMFILE: i32 = 24;
    let (disk, refused) = (SimDisk::default(), Arc::new(Semaphore::new(0)));
    let exhausted = Arc::new(AtomicBool::new(true));
    let (counted, is_exhausted) = (refused.clone(), exhausted.clone());
    let gate = Gate::new(&disk, move |step, name| {
        let takes_one = matches!(step, Step::Create | Step::Open);
        if takes_one && name == RESERVE && is_exhausted.load(Ordering::Relaxed) {
            counted.add_permits(1);
            return Err(io::Error::from_raw_os_error(EMFILE));
        }
        Ok(())
    });
    let store = gate.start();
    // A look takes two at most: by then one has had its consequences.
    drop(refused.acquire_many(3).await.unwrap());
    assert!(store.appends_refused().now().is_none());
    let taken = store.submit(commit(Durability::Disk, vec![append(log(1), "a")]));
    let seq = taken.unwrap().seq;
    store.durable(seq, Durability::Disk).await.unwrap();
    exhausted.store(false, Ordering::Relaxed);
    disk.wait(|names| names.iter().any(|name| name == RESERVE));
}

#[test]
fn a_reserve_that_is_held_is_not_looked_at_until_it_is_released() {
    let (disk, looks) = (SimDisk::default(), Arc::new(AtomicUsize::new(0)));
    let counted = looks.clone();
    let gate = Gate::new(&disk, move |step, _| {
        counted.fetch_add(usize::from(step == Step::Open), Ordering::Relaxed);
        Ok(())
    });
    let reserve = Reserve::new(1000);
    for looked in 1..3 {
        for _ in 0..3 {
            reserve.hold(&gate).unwrap();
        }
        assert_eq!(looks.load(Ordering::Relaxed), looked);
        assert_eq!(disk.octets(RESERVE).len(), 1000);
        assert!(reserve.release(&gate));
        assert!(!reserve.release(&gate));
    }
}

#[test]
fn a_journal_file_grows_where_there_is_neither_room_nor_a_reserve() {
    const SIZE: u32 = 16 * 1024;
    let (disk, reserve) = (SimDisk::default(), Reserve::new(1000));
    disk.hold_at_most(10 * 1024);
    let id = FileId {
        number: 1,
        salt: 7,
        incarnation: 1,
    };
    reserve.hold(&disk).unwrap();
    let made = make(&disk, id, &id.encode(), SIZE);
    assert!(matches!(made, Err(MakeError::Write(_))));
    assert!(reserve.release(&disk));
    assert!(make(&disk, id, &id.encode(), SIZE).is_ok());
    assert_eq!(disk.octets(&journal_name(1)).len(), FILE_ID);
}

#[tokio::test]
async fn a_full_disk_without_a_reserve_takes_acks_when_it_is_opened_again() {
    let disk = SimDisk::default();
    let store = open(&disk);
    let mut end = Offset::ZERO;
    for n in 0..20u8 {
        let ops = vec![append(log(1), vec![n; 900])];
        let seq = store.submit(commit(Durability::Disk, ops)).unwrap().seq;
        store.durable(seq, Durability::Disk).await.unwrap();
        end = end.next();
    }
    store.close().await.unwrap();
    drop(store);
    // What is left once recovery has cut the journal: much less than a whole file.
    recover(&disk).unwrap();
    // It may never have come to be.
    let _ = disk.remove(RESERVE);
    let names = disk.file_names();
    let used: usize = names.iter().map(|name| disk.octets(name).len()).sum();
    disk.hold_at_most(used + 2048);
    let store = open(&disk);
    let (log, below) = (log(1), end);
    let trim = vec![Op::Trim { log, below }];
    let seq = store.submit(commit(Durability::Disk, trim)).unwrap().seq;
    store.durable(seq, Durability::Disk).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(open(&disk).bounds(log).await.unwrap().start, end);
}

#[test]
fn the_reserve_has_room_for_what_waits_and_stays_small_beside_the_disk() {
    const MIB: u64 = 1024 * 1024;
    let reserve = |total| StoreOptions::default().fit(total).reserve();
    assert!(reserve(u64::MAX) >= (64 + 32) * MIB);
    for total in [24, 96, 768, 1024, 100_000].map(|mib| mib * MIB) {
        assert!(reserve(total) * 10 < total, "{} of {total}", reserve(total));
    }
}
