//! What is not synced may lie in several journal files: what a crash leaves of them.

use std::sync::Arc;

use standpipe_core::{
    error::{Error, ErrorKind},
    id::Offset,
    store::{Durability, Store},
};

use super::{
    append, commit, log, read_all,
    recovery::small,
    sim::{Random, SimDisk},
};
use crate::store::{
    NativeStore, StoreOptions,
    header::FILE_HEADER,
    inspect::{Finding, Inspection, Severity},
    position::{journal_name, journal_number},
};

const BODY: usize = 900;

/// Many files before anything moves into segments.
fn start(disk: &SimDisk) -> Result<Arc<NativeStore>, Error> {
    let options = StoreOptions {
        journal_bytes: 1024 * 1024,
        ..small()
    };
    NativeStore::start(Arc::new(disk.clone()), None, &options)
}

/// Commits that the system has; the last of them is on disk where `level` says so.
async fn fill(store: &NativeStore, numbers: std::ops::Range<u8>, level: Durability) {
    let mut last = None;
    for n in numbers {
        let ops = vec![append(log(1), vec![n; BODY])];
        last = Some(store.submit(commit(Durability::Os, ops)).unwrap().seq);
    }
    let last = last.unwrap();
    store.durable(last, Durability::Os).await.unwrap();
    store.durable(last, level).await.unwrap();
}

/// Sixty commits over several files of which the first twenty-five are synced, and something that
/// knows it, as a process that was killed leaves them.
async fn killed() -> SimDisk {
    let disk = SimDisk::default();
    let store = start(&disk).unwrap();
    fill(&store, 0..25, Durability::Disk).await;
    fill(&store, 25..60, Durability::Os).await;
    drop(store);
    assert!(journals(&disk).len() > 3, "{:?}", disk.file_names());
    disk
}

fn journals(disk: &SimDisk) -> Vec<String> {
    let mut names = disk.file_names();
    names.retain(|name| journal_number(name).is_some());
    names
}

/// The journal file and the octet where the body of commit `n` begins.
fn place(disk: &SimDisk, n: u8) -> (String, usize) {
    let find = |name: String| {
        let octets = disk.octets(&name);
        let found = octets.windows(BODY).position(|window| window == [n; BODY]);
        found.map(|at| (name, at))
    };
    journals(disk).into_iter().find_map(find).unwrap()
}

fn wreck(disk: &SimDisk, name: &str, at: usize) {
    (at..at + 5).for_each(|octet| disk.flip(name, octet));
}

async fn served(store: &NativeStore) -> Vec<u8> {
    let read = read_all(store, log(1), Offset::ZERO).await;
    read.iter().map(|entry| entry.body()[0]).collect()
}

fn damage(disk: &SimDisk) -> Vec<Finding> {
    let inspection = Inspection::over(Arc::new(disk.clone()), None).unwrap();
    let mut found = Vec::new();
    inspection.check(|finding| found.push(finding)).unwrap();
    found.retain(|finding| finding.severity >= Severity::Lost);
    found
}

#[tokio::test]
async fn a_torn_tail_over_several_files_is_cut_with_the_files_behind_it() {
    for (torn, in_body) in [(30, true), (30, false), (45, true), (59, false)] {
        let disk = killed().await;
        let (name, at) = place(&disk, torn);
        wreck(&disk, &name, if in_body { at + 9 } else { at - 60 });
        assert_eq!(damage(&disk), [], "nobody was told that it was on disk");
        for reopened in 0..2 {
            let store = start(&disk).unwrap();
            let before: Vec<u8> = (0..torn).collect();
            assert_eq!(served(&store).await[..before.len()], before);
            assert_eq!(served(&store).await.len(), before.len() + reopened);
            assert!(
                journals(&disk).len() <= 1 + reopened + journal_number(&name).unwrap() as usize
            );
            if reopened == 0 {
                fill(&store, 200..201, Durability::Disk).await;
            }
            store.close().await.unwrap();
        }
        assert_eq!(damage(&disk), []);
    }
}

#[tokio::test]
async fn a_file_whose_link_never_reached_the_disk_ends_the_journal_before_it() {
    let disk = killed().await;
    let names = journals(&disk);
    let last = &names[names.len() - 1];
    wreck(&disk, last, FILE_HEADER - 30);
    let store = start(&disk).unwrap();
    assert!(!journals(&disk).contains(last));
    let left = served(&store).await;
    assert!(left.len() > 40 && left.len() < 60, "{left:?}");
    assert_eq!(left, (0..left.len() as u8).collect::<Vec<_>>());
}

#[tokio::test]
async fn below_the_synced_position_nothing_is_taken_for_a_torn_tail() {
    let whole = killed().await;
    for damaged in [0, 10, 20, 24] {
        let (name, at) = place(&whole, damaged);
        assert_ne!(journals(&whole).last(), Some(&name), "not the last file");
        for (place, in_body) in [(at + 9, true), (at - 60, false), (at - 110, false)] {
            let disk = whole.copy();
            wreck(&disk, &name, place);
            let found = damage(&disk);
            assert!(found.iter().any(|f| f.file == name), "{place}: {found:?}");
            let started = start(&disk);
            if !in_body {
                let refused = started.unwrap_err();
                assert_eq!(refused.kind(), ErrorKind::Corrupt);
                assert!(refused.message().contains(&name), "{refused}");
                assert_eq!(journals(&disk), journals(&whole), "nothing goes");
                continue;
            }
            let store = started.unwrap();
            let end = store.bounds(log(1)).await.unwrap().end;
            assert_eq!(end, Offset(60));
            let lost = store.read(log(1), Offset(damaged.into()), super::ALL).await;
            assert_eq!(lost.unwrap_err().kind(), ErrorKind::Corrupt);
        }
    }
}

#[tokio::test]
async fn a_link_that_was_synced_is_no_torn_tail() {
    let disk = killed().await;
    let (name, _) = place(&disk, 24);
    wreck(&disk, &name, FILE_HEADER - 30);
    assert!(damage(&disk).iter().any(|found| found.file == name));
    let refused = start(&disk).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Corrupt);
    assert!(refused.message().contains(&name), "{refused}");
}

#[tokio::test]
async fn a_flipped_bit_in_any_file_takes_nothing_that_was_synced() {
    let whole = killed().await;
    let mut random = Random(11);
    for _ in 0..300 {
        let disk = whole.copy();
        let names = journals(&disk);
        let name = &names[random.below(names.len() as u64) as usize];
        let bit = random.below(8 * disk.octets(name).len() as u64);
        disk.flip_bit(name, bit);
        let store = start(&disk).unwrap();
        let end = store.bounds(log(1)).await.unwrap().end;
        assert!(end >= Offset(25), "{name} bit {bit}: {end}");
        for offset in 0..end.0 {
            match store.read(log(1), Offset(offset), super::ALL).await {
                Ok(entries) => assert_eq!(entries[0].body()[..], [offset as u8; BODY]),
                Err(error) => assert!(error.message().contains(name), "{error}"),
            }
        }
    }
}

#[tokio::test]
async fn what_a_failed_sync_covered_in_several_files_is_written_again_before_it_is_served() {
    let disk = SimDisk::default();
    let store = start(&disk).unwrap();
    fill(&store, 0..5, Durability::Disk).await;
    fill(&store, 5..60, Durability::Os).await;
    disk.fail_syncs(true);
    let covered = commit(Durability::Disk, vec![append(log(1), vec![60; BODY])]);
    let covered = store.submit(covered).unwrap();
    let told = store.durable(covered.seq, Durability::Disk).await;
    assert_eq!(told.unwrap_err().kind(), ErrorKind::Unknown);
    store.failed().await;
    disk.fail_syncs(false);
    let again = start(&disk).unwrap();
    let all = served(&again).await;
    // The last one is not there where it was to open a file, and that failed.
    assert!(all.len() >= 60 && all == (0..all.len() as u8).collect::<Vec<_>>());
    for seed in 0..20 {
        let after = start(&disk.after_cut(seed)).unwrap();
        assert_eq!(served(&after).await, all, "what was served stays");
    }
}

#[tokio::test]
async fn an_unused_file_goes_when_the_store_is_closed_or_opened_again() {
    let disk = SimDisk::default();
    let store = start(&disk).unwrap();
    fill(&store, 0..10, Durability::Disk).await;
    disk.wait(|names| names.contains(&journal_name(2)));
    let killed = disk.copy();
    store.close().await.unwrap();
    assert_eq!(journals(&disk), [journal_name(1)]);
    let store = start(&killed).unwrap();
    assert_eq!(served(&store).await, (0..10).collect::<Vec<_>>());
    assert_eq!(journals(&killed), [journal_name(1)]);
}

#[tokio::test]
async fn a_stream_that_nobody_syncs_leaves_no_more_than_a_journal_unsynced() {
    let disk = SimDisk::default();
    // Else the thread behind the journal syncs before it lets files go.
    disk.fail_checkpoints(true);
    let store = NativeStore::start(Arc::new(disk.clone()), None, &small()).unwrap();
    let files = (small().journal_bytes / u64::from(small().file_size)) as usize;
    let mut most = 0;
    for n in 0..400u32 {
        let ops = vec![append(log(1), vec![n as u8; BODY])];
        let seq = store.submit(commit(Durability::Os, ops)).unwrap().seq;
        store.durable(seq, Durability::Os).await.unwrap();
        most = most.max(disk.unsynced_journals());
    }
    // The next file may be in the making.
    assert!((2..=files + 1).contains(&most), "{most} of {files}");
    assert!(journals(&disk).len() > 2 * files);
}
