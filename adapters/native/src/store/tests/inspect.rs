//! Looking at a store that does not run.

use std::{collections::BTreeMap, sync::Arc};

use standpipe_core::{
    error::{Error, ErrorKind},
    id::Offset,
    store::{Durability, Expect, Op, Store},
};

use super::{
    ALL, append, commit, log, newest_checkpoint,
    recovery::{open, small},
    sim::{Random, SimDisk},
};
use crate::store::{
    NativeStore,
    checkpoint::{self, checkpoint_name},
    inspect::{Finding, Inspection, Severity, Stored},
    position::journal_name,
};

/// A store with segments, a checkpoint and a journal: `count` entries in each of two logs.
async fn filled(count: u32) -> SimDisk {
    let disk = SimDisk::default();
    let store = open(&disk);
    for n in 0..count {
        let ops = vec![
            append(log(1), vec![n as u8; 100]),
            append(log(2), vec![1; 100]),
        ];
        let seq = store.submit(commit(Durability::Disk, ops)).unwrap().seq;
        store.durable(seq, Durability::Disk).await.unwrap();
    }
    store.close().await.unwrap();
    disk
}

fn inspect(disk: &SimDisk) -> Inspection {
    Inspection::over(Arc::new(disk.clone()), None).unwrap()
}

fn findings(disk: &SimDisk) -> Vec<Finding> {
    let mut found = Vec::new();
    inspect(disk).check(|finding| found.push(finding)).unwrap();
    found
}

fn octets(disk: &SimDisk) -> BTreeMap<String, Vec<u8>> {
    let names = disk.file_names().into_iter();
    names
        .map(|name| (name.clone(), disk.octets(&name)))
        .collect()
}

/// It was not on disk yet, so nothing of what it counts was taken away.
#[tokio::test]
async fn a_checkpoint_that_a_power_cut_tore_is_needless_and_no_loss() {
    let disk = filled(400).await;
    let newest = newest_checkpoint(&disk);
    let mut octets = disk.octets(&checkpoint_name(newest));
    octets[60..100].fill(0);
    checkpoint::write(&disk, newest + 1, &octets).unwrap();
    let found = findings(&disk);
    let name = checkpoint_name(newest + 1);
    let of_it: Vec<_> = found
        .iter()
        .filter(|finding| finding.file == name)
        .collect();
    assert!(
        !of_it.is_empty() && !found.iter().any(Finding::is_damage),
        "{found:?}"
    );
    let whole = checkpoint_name(newest);
    disk.flip(&whole, 70);
    (0..8).for_each(|octet| disk.flip(&whole, 72 + octet));
    let found = findings(&disk);
    assert!(
        found.iter().any(Finding::is_damage),
        "neither is whole: {found:?}"
    );
}

#[tokio::test]
async fn a_whole_store_is_counted_and_left_as_it_is() {
    let disk = filled(400).await;
    let before = octets(&disk);
    let inspection = inspect(&disk);
    let mut found = Vec::new();
    let checked = inspection.check(|finding| found.push(finding)).unwrap();
    assert!(!found.iter().any(Finding::is_damage), "{found:?}");
    assert!(checked.entries >= 800, "{checked:?}");
    let logs = inspection.logs().unwrap();
    for (n, stat) in logs.iter().enumerate() {
        assert_eq!(stat.log, log(n as u128 + 1));
        assert_eq!(
            (stat.bounds.start, stat.bounds.end),
            (Offset::ZERO, Offset(400))
        );
        assert_eq!((stat.entries, stat.bounds.octets), (400, 40_000));
        assert!(
            stat.segments > 0 && stat.segment_octets < 40_000,
            "{stat:?}"
        );
        let mut next = Offset::ZERO;
        let visit = |stored| match stored {
            Stored::Entry(entry) => {
                assert_eq!(entry.base_offset, next);
                next = entry.end_offset();
                Ok::<_, Error>(())
            }
            Stored::Damaged(..) => panic!("{stored:?}"),
        };
        inspection.entries(stat.log, visit).unwrap();
        assert_eq!(next, Offset(400));
    }
    assert_eq!(octets(&disk), before);
}

#[tokio::test]
async fn every_flipped_bit_is_found_and_what_it_takes_is_what_a_start_misses() {
    let disk = filled(300).await;
    let mut random = Random(23);
    for _ in 0..300 {
        let copy = disk.after_cut(0);
        let mut names = copy.file_names();
        names.retain(|name| name != "reserve");
        let name = &names[random.below(names.len() as u64) as usize];
        let bit = random.below(8 * copy.octets(name).len().max(1) as u64);
        copy.flip_bit(name, bit);
        let before = octets(&copy);
        let found = findings(&copy);
        assert_eq!(octets(&copy), before, "a check changes nothing");
        assert!(!found.is_empty(), "{name} bit {bit}");
        assert!(
            found.iter().any(|f| f.file == *name),
            "{name} bit {bit}: {found:?}"
        );
        let store = NativeStore::start(Arc::new(copy), None, &small()).unwrap();
        for n in [1, 2] {
            let lost = found.iter().filter(|f| f.severity == Severity::Lost);
            let lost = lost.filter(|f| f.log == Some(log(n)));
            let told: u64 = lost
                .filter_map(|f| f.offsets.clone())
                .map(|r| r.end.0 - r.start.0)
                .sum();
            let (mut missed, mut next) = (0, Offset::ZERO);
            while next < Offset(300) {
                match store.read(log(n), next, ALL).await {
                    Ok(entries) => next = entries.last().unwrap().end_offset(),
                    Err(_) => (missed, next) = (missed + 1, next.next()),
                }
            }
            assert_eq!(told, missed, "{name} bit {bit}: {found:?}");
        }
    }
}

#[tokio::test]
async fn a_store_that_damage_keeps_closed_can_be_checked() {
    let disk = SimDisk::default();
    let store = open(&disk);
    let key = Op::PutIf {
        key: "t/\0name".into(),
        expect: Expect::Any,
        value: Some("record".into()),
    };
    store.submit(commit(Durability::Disk, vec![key])).unwrap();
    for n in 0..9u8 {
        let ops = vec![append(log(1), vec![n; 100])];
        let seq = store.submit(commit(Durability::Disk, ops)).unwrap().seq;
        store.durable(seq, Durability::Disk).await.unwrap();
    }
    store.close().await.unwrap();
    let journal = journal_name(1);
    let octets = disk.octets(&journal);
    let body = octets.windows(100).position(|window| window == [4; 100]);
    let record = body.unwrap() - 146;
    (record..record + 146).for_each(|octet| disk.flip(&journal, octet));
    let refused = NativeStore::start(Arc::new(disk.clone()), None, &small()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Corrupt);
    let found = findings(&disk);
    let closed = found
        .iter()
        .find(|f| f.severity == Severity::Closed)
        .unwrap();
    assert_eq!(closed.file, journal);
    assert!(closed.at.unwrap() <= record as u64 + 8, "{closed:?}");
    let lost = found.iter().find(|f| f.severity == Severity::Lost).unwrap();
    assert_eq!(lost.log, Some(log(1)));
    assert_eq!(lost.offsets, Some(Offset(4)..Offset(5)), "{found:?}");
    let inspection = inspect(&disk);
    assert_eq!(inspection.keys().len(), 1);
    assert_eq!(inspection.logs().unwrap_err().kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn a_running_store_is_not_inspected_and_an_inspected_one_not_started() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    assert_eq!(
        Inspection::open(path).unwrap_err().kind(),
        ErrorKind::NotFound
    );
    let store = NativeStore::open(path, small()).unwrap();
    let seq = store
        .submit(commit(Durability::Disk, vec![append(log(1), "a")]))
        .unwrap()
        .seq;
    store.durable(seq, Durability::Disk).await.unwrap();
    let refused = Inspection::open(path).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Denied);
    let pid = std::process::id().to_string();
    assert!(refused.message().contains(&pid), "{refused}");
    store.close().await.unwrap();
    let first = Inspection::open(path).unwrap();
    let second = Inspection::open(path).unwrap();
    let refused = NativeStore::open(path, small()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Denied);
    drop((first, second));
    let store = NativeStore::open(path, small()).unwrap();
    assert_eq!(
        store.read(log(1), Offset::ZERO, ALL).await.unwrap().len(),
        1
    );
}
