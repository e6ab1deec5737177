//! Damage that hides whose it was keeps the store closed, until a person gives it up.

use std::{collections::BTreeMap, io, ops::Range, sync::Arc};

use standpipe_core::{
    entry::{Draft, Format},
    error::{ErrorKind, Result},
    id::Offset,
    store::{Durability, Expect, Op, Store},
};

use super::{
    append, commit, count, is_journal, is_segment, log, newest_checkpoint, read_all,
    recovery::{open, small},
    sim::{Random, SimDisk},
};
use crate::store::{
    GivenUp, NativeStore, StoreOptions,
    accept::accept,
    checkpoint::{self, checkpoint_name},
    inspect::{Finding, Inspection, Severity},
    position::journal_name,
    recovery::recover,
    snapshot::Snapshot,
    vfs::{Disk, write_all_at},
};

/// Commits a batch of three in one log and an entry in another.
async fn publish(store: &NativeStore, n: u32, durability: Durability) {
    let draft = Draft::batch(Format::KAFKA2, vec![n as u8; 100].into(), 3);
    let ops = vec![
        Op::Append { log: log(1), draft },
        append(log(2), vec![n as u8; 100]),
    ];
    let seq = store.submit(commit(durability, ops)).unwrap().seq;
    store.durable(seq, durability).await.unwrap();
}

/// So many commits.
pub(super) async fn fill(disk: &SimDisk, count: u32) {
    fill_store(&open(disk), 0..count).await;
}

async fn fill_store(store: &NativeStore, numbers: Range<u32>) {
    for n in numbers {
        publish(store, n, Durability::Disk).await;
    }
    store.close().await.unwrap();
}

/// A store that moves nothing into segments: its journal files stay, from the first on.
fn open_unmoved(disk: &SimDisk) -> Arc<NativeStore> {
    let options = StoreOptions {
        journal_bytes: u64::MAX,
        ..small()
    };
    NativeStore::start(Arc::new(disk.clone()), None, &options).unwrap()
}

pub(super) fn start(disk: &SimDisk) -> Result<Arc<NativeStore>> {
    NativeStore::start(Arc::new(disk.clone()), None, &small())
}

async fn give_up(disk: &SimDisk) -> Vec<GivenUp> {
    let mut told = Vec::new();
    let report = &mut |given_up| told.push(given_up);
    accept(Arc::new(disk.clone()), None, &small(), report)
        .await
        .unwrap();
    told
}

fn octets(disk: &SimDisk) -> BTreeMap<String, Vec<u8>> {
    let names = disk.file_names().into_iter();
    names
        .map(|name| (name.clone(), disk.octets(&name)))
        .collect()
}

pub(super) fn damage(disk: &SimDisk) -> Vec<Finding> {
    let inspection = Inspection::over(Arc::new(disk.clone()), None).unwrap();
    let mut found = Vec::new();
    inspection.check(|finding| found.push(finding)).unwrap();
    found.retain(|finding| finding.severity >= Severity::Lost);
    found
}

/// Damages so many octets at a place.
pub(super) fn wreck(disk: &SimDisk, name: &str, at: usize, count: usize) {
    (at..at + count).for_each(|octet| disk.flip(name, octet));
}

/// Opens what was closed, holds against what was there, and appends; returns the messages that are
/// gone, which are those that were told.
async fn opens_with_the_rest(disk: &SimDisk, count: u64, told: &[GivenUp]) -> u64 {
    let store = start(disk).unwrap();
    let mut gone = 0;
    for (n, span) in [(1, 3), (2, 1)] {
        let lost = |offset: u64| {
            told.iter().any(|given_up| match given_up {
                GivenUp::Offsets(id, range) => *id == log(n) && range.contains(&Offset(offset)),
                GivenUp::Journal { .. } => false,
            })
        };
        let end = store.bounds(log(n)).await.unwrap().end.0;
        let read = read_all(&store, log(n), Offset::ZERO).await;
        let bases: Vec<u64> = read.iter().map(|entry| entry.base_offset.0).collect();
        let expected = (0..end / span)
            .map(|n| n * span)
            .filter(|base| !lost(*base));
        let expected: Vec<u64> = expected.collect();
        assert_eq!(bases, expected, "log {n}, {told:?}");
        for entry in &read {
            assert_eq!(entry.body()[..], [(entry.base_offset.0 / span) as u8; 100]);
        }
        gone += count * span - read.len() as u64 * span;
        let draft = Draft::batch(
            Format::KAFKA2,
            vec![(end / span) as u8; 100].into(),
            span as u32,
        );
        let again = vec![Op::Append { log: log(n), draft }];
        let placed = store.submit(commit(Durability::Disk, again)).unwrap();
        assert_eq!(placed.placed[0].base_offset.0, end);
    }
    store.close().await.unwrap();
    gone
}

#[tokio::test]
async fn records_that_cannot_be_read_are_given_up_by_name_and_the_rest_is_served() {
    for first in [64, 64 + 48 + 3] {
        let disk = SimDisk::default();
        fill(&disk, 9).await;
        let journal = disk.octets(&journal_name(1));
        let body = journal.windows(100).position(|window| window == [4; 100]);
        // The fifth commit's header, or its steps.
        let record = body.unwrap() - 48 - 21 - 77;
        wreck(&disk, &journal_name(1), record + first - 64, 5);
        let refused = start(&disk).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Corrupt);
        let place = format!("{} at ", journal_name(1));
        assert!(refused.message().contains(&place), "{refused}");
        let command = "standpipe store check --accept-loss";
        assert!(refused.message().contains(command), "{refused}");
        let before = octets(&disk);
        let told = give_up(&disk).await;
        let expected = [
            GivenUp::Offsets(log(1), Offset(12)..Offset(15)),
            GivenUp::Offsets(log(2), Offset(4)..Offset(5)),
        ];
        assert!(
            matches!(&told[0], GivenUp::Journal { place: told, .. } if told.starts_with(&place))
        );
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(
            expected.iter().all(|offsets| told.contains(offsets)),
            "{told:?}"
        );
        let after = octets(&disk);
        // Only what follows the records may go, as whenever a store is opened.
        let left = &after[&journal_name(1)][..];
        assert!(before[&journal_name(1)].starts_with(left) && left.len() > record + 600);
        assert_eq!(give_up(&disk).await, [], "once is enough");
        assert_eq!(octets(&disk), after);
        assert_eq!(damage(&disk), []);
        assert_eq!(opens_with_the_rest(&disk, 9, &told).await, 4);
        assert_eq!(damage(&disk), []);
    }
}

#[tokio::test]
async fn a_journal_file_that_is_gone_or_has_no_header_is_given_up() {
    for remove in [true, false] {
        for number in 1..=3 {
            let disk = SimDisk::default();
            fill_store(&open_unmoved(&disk), 0..10).await;
            count_all(&disk);
            fill_store(&open_unmoved(&disk), 10..150).await;
            assert!(disk.file_names().contains(&journal_name(4)));
            let name = journal_name(number);
            match remove {
                true => disk.remove(&name).unwrap(),
                false => wreck(&disk, &name, 8, 9),
            }
            let refused = start(&disk).unwrap_err();
            assert!(refused.message().contains(&name), "{refused}");
            is_given_up_once(&disk, 150).await;
        }
    }
}

/// Nothing tells that it is gone but a checkpoint that counts what was in it.
#[tokio::test]
async fn the_last_journal_file_is_given_up_as_others_are() {
    for remove in [true, false] {
        for counted in [true, false] {
            let disk = SimDisk::default();
            fill_store(&open_unmoved(&disk), 0..150).await;
            if counted {
                count_all(&disk);
            }
            let last = disk.file_names().into_iter().rfind(|name| is_journal(name));
            match remove {
                true => disk.remove(&last.unwrap()).unwrap(),
                false => wreck(&disk, &last.unwrap(), 8, 9),
            }
            assert_eq!(start(&disk).is_ok(), remove, "counted {counted}");
            is_given_up_once(&disk, 150).await;
        }
    }
}

async fn is_given_up_once(disk: &SimDisk, count: u64) {
    let told = give_up(disk).await;
    assert_eq!(give_up(disk).await, [], "once is enough");
    opens_with_the_rest(disk, count, &told).await;
    assert_eq!(damage(disk), []);
    opens_with_the_rest(disk, count, &told).await;
    assert_eq!(damage(disk), []);
}

/// Zeros look like what was not used yet: the numbers of the commits tell.
#[tokio::test]
async fn a_file_whose_end_reads_as_zeros_is_told_and_given_up() {
    for from in [4096, 12_288] {
        let disk = SimDisk::default();
        fill_store(&open_unmoved(&disk), 0..150).await;
        let file = disk.open(&journal_name(2)).unwrap();
        let length = file.len().unwrap();
        let zeros = vec![0; (length - from) as usize];
        write_all_at(&*file, &mut [io::IoSlice::new(&zeros)], from).unwrap();
        assert_eq!(start(&disk).unwrap_err().kind(), ErrorKind::Corrupt);
        let found = damage(&disk);
        let name = Some(&journal_name(2));
        assert!(
            found.iter().any(|finding| Some(&finding.file) == name),
            "{found:?}"
        );
        is_given_up_once(&disk, 150).await;
    }
}

/// A checkpoint that counts all there is, with no file less: as of a flush that began late.
pub(super) fn count_all(disk: &SimDisk) {
    let recovered = recover(disk).unwrap();
    let snapshot = Snapshot::of(&recovered.contents, recovered.end);
    let octets = snapshot.encode(recovered.facts);
    checkpoint::write(disk, recovered.next_checkpoint, &octets).unwrap();
}

/// The store goes on behind what the checkpoint counts, in a file that does not follow the last one
/// that is left.
#[tokio::test]
async fn a_counted_file_that_is_gone_closes_its_logs_and_never_the_store() {
    let disk = SimDisk::default();
    fill_store(&open_unmoved(&disk), 0..150).await;
    count_all(&disk);
    let last = disk.file_names().into_iter().rfind(|name| is_journal(name));
    disk.remove(&last.unwrap()).unwrap();
    for n in 0..3u8 {
        let store = open_unmoved(&disk);
        for id in [log(1), log(2)] {
            let refused = store.submit(commit(Durability::Disk, vec![append(id, "y")]));
            assert_eq!(
                refused.unwrap_err().kind(),
                ErrorKind::Corrupt,
                "opened {n} times"
            );
        }
        let key = Op::PutIf {
            key: vec![n].into(),
            expect: Expect::Any,
            value: Some(vec![n].into()),
        };
        let other = vec![key, append(log(3), vec![n; 100])];
        let seq = store.submit(commit(Durability::Disk, other)).unwrap().seq;
        store.durable(seq, Durability::Disk).await.unwrap();
        let read = read_all(&store, log(3), Offset::ZERO).await;
        assert_eq!(read.len(), usize::from(n) + 1);
        store.close().await.unwrap();
        let closed = |finding: &Finding| finding.severity == Severity::Closed;
        assert!(!damage(&disk).iter().any(closed), "it does open");
    }
    let told = give_up(&disk).await;
    let offsets = |given_up: &GivenUp| matches!(given_up, GivenUp::Offsets(..));
    assert!(!told.is_empty() && told.iter().all(offsets), "{told:?}");
    assert_eq!(give_up(&disk).await, [], "once is enough");
    opens_with_the_rest(&disk, 150, &told).await;
    opens_with_the_rest(&disk, 150, &told).await;
    assert_eq!(damage(&disk), []);
}

#[tokio::test]
async fn whatever_is_wrecked_is_given_up_at_once_and_no_more_than_that() {
    let disk = SimDisk::default();
    fill(&disk, 300).await;
    let rounds = std::env::var("FLIPS").ok();
    let rounds = rounds.and_then(|text| text.parse().ok()).unwrap_or(40);
    let mut random = Random(3);
    for _ in 0..rounds {
        let copy = disk.after_cut(0);
        let mut names = copy.file_names();
        names.retain(|name| is_journal(name) || is_segment(name));
        for _ in 0..1 + random.below(3) {
            let name = &names[random.below(names.len() as u64) as usize];
            let length = copy.octets(name).len() as u64;
            let count = 1 + random.below(300.min(length));
            let at = random.below(length - count + 1);
            wreck(&copy, name, at as usize, count as usize);
        }
        let was = copy.file_names();
        let told = give_up(&copy).await;
        let now = copy.file_names();
        assert_eq!(
            give_up(&copy).await,
            [],
            "once is enough {told:?} {was:?} {now:?}"
        );
        assert_eq!(damage(&copy), [], "{told:?}");
        opens_with_the_rest(&copy, 300, &told).await;
    }
}

/// Only the first file is synced, and only in part; it ends before that.
#[tokio::test]
async fn a_journal_file_that_was_cut_below_what_is_synced_is_given_up_from_there() {
    const COMMITS: u32 = 100;
    let disk = SimDisk::default();
    let store = open_unmoved(&disk);
    for n in 0..COMMITS {
        let word = if n < 3 {
            Durability::Disk
        } else {
            Durability::Os
        };
        publish(&store, n, word).await;
    }
    let left = disk.copy();
    assert!(count(&left.file_names(), is_journal) >= 3);
    let octets = left.octets(&journal_name(1));
    let body = octets.windows(100).position(|window| window == [1; 100]);
    let file = left.open(&journal_name(1)).unwrap();
    file.set_len(body.unwrap() as u64).unwrap();
    let refused = start(&left).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Corrupt, "{refused}");
    let told = give_up(&left).await;
    assert!(matches!(told[0], GivenUp::Journal { .. }), "{told:?}");
    assert_eq!(give_up(&left).await, [], "once is enough");
    let gone = opens_with_the_rest(&left, COMMITS.into(), &told).await;
    assert_ne!(gone, 0);
    assert_eq!(damage(&left), []);
}

/// Octets that make the store stay closed: the header of the commit that brought `n`.
fn wreck_commit(disk: &SimDisk, n: u8) {
    let journal = disk.octets(&journal_name(1));
    let body = journal.windows(100).position(|window| window == [n; 100]);
    wreck(disk, &journal_name(1), body.unwrap() - 48 - 21 - 77, 5);
}

#[tokio::test]
async fn what_is_given_up_is_told_first_and_what_was_before_stays_given_up() {
    let disk = SimDisk::default();
    fill(&disk, 9).await;
    wreck_commit(&disk, 2);
    give_up(&disk).await;
    wreck_commit(&disk, 5);
    disk.fail_writes(true);
    let mut told = Vec::new();
    let report = &mut |given_up| told.push(given_up);
    let refused = accept(Arc::new(disk.clone()), None, &small(), report).await;
    assert!(refused.unwrap_err().to_string().contains("storage"));
    assert!(matches!(told[..], [GivenUp::Journal { .. }]), "{told:?}");
    disk.fail_writes(false);
    let again = disk.copy();
    wreck_commit(&disk, 5);
    start(&disk).unwrap().close().await.unwrap();
    let told_again = give_up(&again).await;
    assert_eq!((told_again.len(), &told_again[0]), (3, &told[0]));
    assert_eq!(damage(&again), []);
}

/// Neither a start nor giving up goes on with it, nor does either change anything.
async fn is_refused_for_good(disk: &SimDisk, why: &str) {
    let before = octets(disk);
    let accepted = accept(Arc::new(disk.clone()), None, &small(), &mut |_| {}).await;
    for refused in [start(disk).map(drop), accepted] {
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Corrupt);
        assert!(refused.message().contains(why), "{refused}");
        assert!(!refused.message().contains("--accept-loss"), "{refused}");
    }
    let found = damage(disk);
    assert!(
        found.iter().any(|f| f.severity == Severity::Closed),
        "{found:?}"
    );
    assert_eq!(octets(disk), before);
}

#[tokio::test]
async fn a_store_without_a_checkpoint_that_can_be_read_is_not_given_up() {
    let disk = SimDisk::default();
    fill(&disk, 300).await;
    let (number, _) = newest(&disk);
    wreck(&disk, &checkpoint_name(number), 4, 9);
    is_refused_for_good(&disk, "no checkpoint can be read").await;
}

#[tokio::test]
async fn segments_without_journal_and_checkpoint_are_no_empty_store() {
    let disk = SimDisk::default();
    fill(&disk, 300).await;
    for name in disk.file_names() {
        if !is_segment(&name) {
            disk.remove(&name).unwrap();
        }
    }
    assert!(count(&disk.file_names(), is_segment) > 0);
    is_refused_for_good(&disk, "no checkpoint can be read").await;
}

/// The number and the octets of the newest checkpoint.
fn newest(disk: &SimDisk) -> (u64, Vec<u8>) {
    let newest = newest_checkpoint(disk);
    (newest, disk.octets(&checkpoint_name(newest)))
}

#[tokio::test]
async fn a_checkpoint_that_is_older_than_the_store_is_not_gone_on_with() {
    let disk = SimDisk::default();
    fill(&disk, 150).await;
    let (number, yesterday) = newest(&disk);
    fill(&disk, 300).await;
    disk.remove(&checkpoint_name(newest(&disk).0)).unwrap();
    checkpoint::write(&disk, number, &yesterday).unwrap();
    is_refused_for_good(&disk, "is older than the store").await;
}
