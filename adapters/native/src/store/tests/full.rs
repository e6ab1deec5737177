//! What a store makes of a disk without room, and of one that only seems so.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use standpipe_core::{
    error::ErrorKind,
    id::Offset,
    store::{Durability, Expect, Op, Store},
};
use tokio::sync::Semaphore;

use super::{
    append, commit, count,
    gate::{Gate, Step},
    is_journal, log, read_all,
    recovery::open,
    sim::SimDisk,
    thin::forget_but,
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
fn a_reserve_for_which_there_is_no_room_is_not_begun() {
    let disk = SimDisk::default();
    let gate = Gate::new(&disk, |step, _| match step {
        Step::Create => panic!("it would take what is left"),
        _ => Ok(()),
    });
    disk.hold_at_most(1000);
    let refused = Reserve::new(1001).hold(&gate).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
}

#[tokio::test]
async fn space_that_is_missing_for_a_moment_only_leaves_nothing_unknown() {
    const MISSED: usize = 2;
    let (disk, tries) = (SimDisk::default(), AtomicUsize::new(0));
    // Without a reserve; the file is tried with all of its space, and then without.
    let gate = Gate::new(&disk, move |step, name| {
        let is_missed = || is_journal(name) && tries.fetch_add(1, Ordering::Relaxed) < MISSED;
        if step == Step::Create && (name == RESERVE || is_missed()) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    });
    let put = Op::PutIf {
        key: "key".into(),
        expect: Expect::Any,
        value: Some("value".into()),
    };
    let store = gate.start();
    let seq = store.submit(commit(Durability::Disk, vec![put])).unwrap();
    store.durable(seq.seq, Durability::Disk).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_that_takes_no_block_but_the_reserves_is_opened() {
    let disk = SimDisk::default();
    let store = open(&disk);
    let ops = vec![append(log(1), vec![7; 900]); 60];
    for op in ops {
        let seq = store.submit(commit(Durability::Disk, vec![op])).unwrap();
        store.durable(seq.seq, Durability::Disk).await.unwrap();
    }
    let held = |names: &[String]| names.iter().any(|name| name == RESERVE);
    disk.wait(|names| held(names) && count(names, is_journal) <= 3);
    store.close().await.unwrap();
    drop(store);
    let full = disk.clone();
    let gate = Gate::new(&disk, move |step, name| {
        let takes = step == Step::Write && held(&full.file_names());
        if takes || (step == Step::Create && name == RESERVE) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    });
    let store = gate.start();
    let read = read_all(&store, log(1), Offset::ZERO).await;
    assert_eq!(read.len(), 60);
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

/// A disk with a closed store of so many entries of 900 octets and without a reserve, which has room for
/// so many octets more.
async fn filled(entries: u64, room: usize) -> SimDisk {
    let disk = SimDisk::default();
    let store = open(&disk);
    for n in 0..entries {
        let ops = vec![append(log(1), vec![n as u8; 900])];
        let seq = store.submit(commit(Durability::Disk, ops)).unwrap().seq;
        store.durable(seq, Durability::Disk).await.unwrap();
    }
    store.close().await.unwrap();
    drop(store);
    // What is left once recovery has cut the journal: much less than a whole file.
    recover(&disk).unwrap();
    // It may never have come to be.
    let _ = disk.remove(RESERVE);
    let (_, taken) = disk.taken(|_| true);
    disk.hold_at_most(taken + room);
    disk
}

#[tokio::test]
async fn a_full_disk_without_a_reserve_takes_acks_when_it_is_opened_again() {
    const ENTRIES: u64 = 20;
    let disk = filled(ENTRIES, 2048).await;
    let end = Offset(ENTRIES);
    let store = open(&disk);
    let (log, below) = (log(1), end);
    let trim = vec![Op::Trim { log, below }];
    let seq = store.submit(commit(Durability::Disk, trim)).unwrap().seq;
    store.durable(seq, Durability::Disk).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(open(&disk).bounds(log).await.unwrap().start, end);
}

#[tokio::test]
async fn on_a_full_disk_runs_that_are_mostly_needless_give_their_space_back() {
    const ENTRIES: u64 = 200;
    // Together with all of the journal, less than the reserve.
    let disk = filled(ENTRIES, 32 * 1024).await;
    let store = open(&disk);
    let mut told = store.appends_refused();
    while told.now().is_none() {
        told.changed().await;
    }
    forget_but(&store, 10, 0..ENTRIES).await;
    while told.now().is_some() {
        told.changed().await;
    }
    let read = read_all(&store, log(1), Offset::ZERO).await;
    let kept = read.iter().filter(|entry| entry.base_offset.0 % 10 == 0);
    assert_eq!(kept.count() as u64, ENTRIES / 10);
}

#[tokio::test]
async fn a_full_disk_takes_what_moves_from_log_to_log_up_to_half_of_what_is_free() {
    let disk = filled(5, 64 * 1024).await;
    let store = open(&disk);
    let mut told = store.appends_refused();
    while told.now().is_none() {
        told.changed().await;
    }
    let (from, below) = (log(1), Offset(1));
    let trim = Op::Trim { log: from, below };
    let moved = |octets| vec![append(log(2), vec![8; octets]), trim.clone()];
    for refused in [vec![append(log(2), "new")], moved(40 * 1024)] {
        let refused = store.submit(commit(Durability::Disk, refused));
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Throttled);
    }
    let seq = store.submit(commit(Durability::Disk, moved(900))).unwrap();
    store.durable(seq.seq, Durability::Disk).await.unwrap();
    let read = read_all(&store, log(2), Offset::ZERO).await;
    assert_eq!(read[0].body()[..], [8; 900]);
    assert_eq!(store.bounds(from).await.unwrap().start, below);
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
