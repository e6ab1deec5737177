//! What a store makes of a disk without room, and of one that only seems so.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
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
    recovery::{open, small},
    sim::{PATIENCE, SimDisk},
    thin::forget_but,
};
use crate::store::{
    NativeStore, StoreOptions,
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
    done(&store, vec![append(log(1), "a")]).await;
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
    done(&store, vec![put]).await;
}

#[tokio::test]
async fn a_full_disk_that_takes_no_block_but_the_reserves_is_opened() {
    let disk = SimDisk::default();
    let store = open(&disk);
    fill(&store, 60).await;
    let held = |names: &[String]| names.iter().any(|name| name == RESERVE);
    disk.wait_for_moves();
    disk.wait(held);
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
    fill(&store, entries).await;
    store.close().await.unwrap();
    drop(store);
    cut(&disk);
    let (_, taken) = disk.taken(|_| true);
    disk.hold_at_most(taken + room);
    disk
}

/// Appends so many entries of 900 octets.
async fn fill(store: &NativeStore, entries: u64) {
    for n in 0..entries {
        let ops = vec![append(log(1), vec![n as u8; 900])];
        done(store, ops).await;
    }
}

/// Commits, and waits for the disk.
async fn done(store: &NativeStore, ops: Vec<Op>) {
    let seq = store.submit(commit(Durability::Disk, ops)).unwrap().seq;
    store.durable(seq, Durability::Disk).await.unwrap();
}

/// Leaves of a closed store what is there once recovery has cut the journal, which is much less than a
/// whole file, and no reserve.
fn cut(disk: &SimDisk) {
    recover(disk).unwrap();
    // It may never have come to be.
    let _ = disk.remove(RESERVE);
}

/// Waits until appends are refused, or taken again.
async fn until_refused(store: &NativeStore, refused: bool) {
    let mut told = store.appends_refused();
    let turned = async {
        while told.now().is_some() != refused {
            told.changed().await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, turned).await;
    waited.unwrap_or_else(|_| panic!("appends stay refused: {}", !refused));
}

#[tokio::test]
async fn a_full_disk_without_a_reserve_takes_acks_when_it_is_opened_again() {
    const ENTRIES: u64 = 20;
    let disk = filled(ENTRIES, 2048).await;
    let end = Offset(ENTRIES);
    let store = open(&disk);
    let (log, below) = (log(1), end);
    done(&store, vec![Op::Trim { log, below }]).await;
    store.close().await.unwrap();
    assert_eq!(open(&disk).bounds(log).await.unwrap().start, end);
}

#[tokio::test]
async fn on_a_full_disk_runs_that_are_mostly_needless_give_their_space_back() {
    const ENTRIES: u64 = 200;
    // Together with all of the journal, less than the reserve.
    let disk = filled(ENTRIES, 32 * 1024).await;
    let store = open(&disk);
    until_refused(&store, true).await;
    forget_but(&store, 10, 0..ENTRIES).await;
    until_refused(&store, false).await;
    let read = read_all(&store, log(1), Offset::ZERO).await;
    let kept = read.iter().filter(|entry| entry.base_offset.0 % 10 == 0);
    assert_eq!(kept.count() as u64, ENTRIES / 10);
}

#[tokio::test]
async fn on_a_full_disk_a_copy_leaves_room_for_the_checkpoint_that_gives_back_what_it_replaces() {
    const ENTRIES: u64 = 600;
    const KEY: usize = 20 * 1024;
    let disk = SimDisk::default();
    let without_thinning = StoreOptions {
        thinning: Duration::MAX,
        ..small()
    };
    let start =
        |options: &StoreOptions| NativeStore::start(Arc::new(disk.clone()), None, options).unwrap();
    let store = start(&without_thinning);
    let key = Op::PutIf {
        key: "key".into(),
        expect: Expect::Any,
        value: Some(vec![7; KEY].into()),
    };
    done(&store, vec![key]).await;
    for _ in 0..ENTRIES / 10 {
        fill(&store, 10).await;
        disk.wait_for_moves();
    }
    forget_but(&store, 10, 0..ENTRIES).await;
    store.close().await.unwrap();
    drop(store);
    // Once more: all but the last journal file or two moves away, and nothing new is written.
    let store = start(&without_thinning);
    disk.wait(|names| count(names, is_journal) <= 2);
    store.close().await.unwrap();
    drop(store);
    cut(&disk);
    let journals = disk.file_names();
    let journals: Vec<_> = journals.iter().filter(|name| is_journal(name)).collect();
    let older = &journals[..journals.len() - 1];
    let goes: usize = older.iter().map(|name| disk.octets(name).len()).sum();
    let (_, taken) = disk.taken(|_| true);
    // Once the older journal file is gone: for all that is needed, or for two checkpoints and one run.
    disk.hold_at_most(taken + 58 * 1024 - goes);
    let store = start(&StoreOptions {
        journal_bytes: 96 * 1024,
        ..small()
    });
    until_refused(&store, true).await;
    until_refused(&store, false).await;
    let read = read_all(&store, log(1), Offset::ZERO).await;
    let kept = read.iter().filter(|entry| entry.base_offset.0 % 10 == 0);
    assert_eq!(kept.count() as u64, ENTRIES / 10);
}

/// Moves an entry of so many octets to the second log.
fn moved(octets: usize) -> Vec<Op> {
    let (log_1, below) = (log(1), Offset(1));
    let trim = Op::Trim { log: log_1, below };
    vec![append(log(2), vec![8; octets]), trim]
}

#[tokio::test]
async fn a_full_disk_takes_what_moves_from_log_to_log_down_to_half_of_the_reserve() {
    let disk = filled(5, 90 * 1024).await;
    let store = open(&disk);
    until_refused(&store, true).await;
    for refused in [vec![append(log(2), "new")], moved(40 * 1024)] {
        let refused = store.submit(commit(Durability::Disk, refused));
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Throttled);
    }
    done(&store, moved(900)).await;
    let read = read_all(&store, log(2), Offset::ZERO).await;
    assert_eq!(read[0].body()[..], [8; 900]);
    assert_eq!(store.bounds(log(1)).await.unwrap().start, Offset(1));
}

#[tokio::test]
async fn what_moves_on_a_full_disk_leaves_half_of_the_reserve_however_often_it_is_looked_for() {
    const ROOM: usize = 85 * 1024;
    const MOVED: usize = 2000;
    let (disk, looks) = (filled(5, ROOM).await, Arc::new(Semaphore::new(0)));
    let counted = looks.clone();
    let gate = Gate::new(&disk, move |step, name| {
        counted.add_permits(usize::from(step == Step::Open && name == RESERVE));
        Ok(())
    });
    let options = StoreOptions {
        file_size: 8 * 1024,
        ..small()
    };
    let half = options.reserve() as usize / 2;
    assert!(ROOM < 2 * half && half < ROOM);
    let store = NativeStore::start(Arc::new(gate), None, &options).unwrap();
    until_refused(&store, true).await;
    let mut octets = 0;
    for _ in 0..4 {
        while let Ok(taken) = store.submit(commit(Durability::Disk, moved(MOVED))) {
            store.durable(taken.seq, Durability::Disk).await.unwrap();
            octets += MOVED;
        }
        // One more than there were so far.
        let before = looks.available_permits() as u32;
        looks.acquire_many(before + 1).await.unwrap().forget();
    }
    assert!((MOVED..=ROOM - half).contains(&octets), "{octets}");
    let (log, below) = (log(1), Offset(5));
    done(&store, vec![Op::Trim { log, below }]).await;
}

#[tokio::test]
async fn a_disk_that_says_it_has_room_and_has_none_takes_nothing_that_moves() {
    let disk = SimDisk::default();
    disk.hold_at_most(usize::MAX);
    // As a quota does, which is not in what the disk says.
    let gate = Gate::new(&disk, |step, name| match step {
        Step::Create if name == RESERVE => Err(io::ErrorKind::QuotaExceeded.into()),
        _ => Ok(()),
    });
    let store = gate.start();
    until_refused(&store, true).await;
    let refused = store.submit(commit(Durability::Disk, moved(900)));
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Throttled);
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
