//! Segments behind the journal.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use standpipe_core::{
    checksum::crc32c,
    entry::{Draft, Entry, EntryHead, Flags, Format},
    id::{Millis, Offset},
    store::{CommitSeq, Durability, Keep, Op, Store},
};

use super::{
    append, commit, count, is_journal, is_segment, log, read_all,
    recovery::{open, small},
    sim::SimDisk,
};
use crate::store::{
    NativeStore, StoreOptions,
    position::{journal_name, journal_number},
    segment::{Found, SegmentWriter, read_table, segment_name, walk},
    vfs::Disk,
};

/// Appends `count` entries of 100 octets to each of two logs, and waits until they are on disk.
async fn fill(store: &NativeStore, count: u32) {
    for n in 0..count {
        let ops = vec![
            append(log(1), vec![n as u8; 100]),
            append(log(2), vec![1; 100]),
        ];
        let seq = store.submit(commit(Durability::Disk, ops)).unwrap().seq;
        store.durable(seq, Durability::Disk).await.unwrap();
    }
}

fn segments(disk: &SimDisk) -> usize {
    count(&disk.file_names(), is_segment)
}

#[tokio::test]
async fn older_files_become_segments_and_all_of_it_is_still_read() {
    let disk = SimDisk::default();
    let store = open(&disk);
    fill(&store, 1000).await;
    disk.wait(|names| count(names, is_segment) > 0 && count(names, is_journal) < 8);
    for reopened in [false, true] {
        let store = if reopened { open(&disk) } else { store.clone() };
        for from in [0u64, 1, 499, 999] {
            let entries = read_all(&store, log(1), Offset(from)).await;
            assert_eq!(entries.len() as u64, 1000 - from);
            for (n, entry) in (from..).zip(&entries) {
                assert_eq!(entry.base_offset, Offset(n));
                assert_eq!(entry.body()[..], [n as u8; 100]);
            }
        }
        assert_eq!(store.bounds(log(1)).await.unwrap().octets, 100_000);
        store.close().await.unwrap();
    }
}

/// Adds the entry at `base` to the run that was begun.
fn add(segment: &mut SegmentWriter, base: u64, body: Bytes) {
    let entry = Entry {
        base_offset: Offset(base),
        appended: Millis(1),
        leader_epoch: 0,
        draft: Draft::single(Format::NATIVE, body),
    };
    let mut head = BytesMut::new();
    EntryHead::encode(&entry, Flags::NONE, crc32c(entry.body()), &mut head);
    segment.entry(&head, entry.body(), &entry).unwrap();
}

#[test]
fn a_flipped_bit_is_mended_in_the_table_of_a_thousand_logs() {
    let (disk, name) = (SimDisk::default(), segment_name(1));
    let mut segment = SegmentWriter::create(&disk, 1).unwrap();
    for n in 0..1_000 {
        segment.begin(log(n), 1);
        add(&mut segment, 7, "a message".into());
        segment.end().unwrap();
    }
    let runs = segment.finish().unwrap();
    let (_, last) = runs.last().unwrap();
    let (table, end) = (last.at + last.stored(), disk.octets(&name).len() as u64);
    assert!(end - table > 100_000);
    for octet in (table..end).step_by(7_919) {
        let bit = octet * 8 + octet % 8;
        disk.flip_bit(&name, bit);
        let file = disk.open(&name).unwrap();
        let read = read_table(&*file, 1).unwrap();
        assert_eq!(read.as_ref(), Some(&runs), "octet {octet}");
        disk.flip_bit(&name, bit);
    }
}

#[test]
fn a_segment_is_written_in_whole_pieces() {
    const PIECE: usize = 1024 * 1024;
    let (disk, body) = (SimDisk::default(), Bytes::from(vec![7; PIECE * 3 / 5]));
    let mut segment = SegmentWriter::create(&disk, 1).unwrap();
    segment.begin(log(1), 1);
    for n in 0..10 {
        add(&mut segment, n, body.clone());
    }
    segment.end().unwrap();
    let runs = segment.finish().unwrap();
    let octets = disk.octets(&segment_name(1)).len();
    let syncs = 1;
    assert_eq!(disk.steps() - syncs, octets.div_ceil(PIECE) as u64);
    let file = disk.open(&segment_name(1)).unwrap();
    let mut walk = walk(&*file, &runs[0].1, Offset::ZERO).unwrap();
    for n in 0..10 {
        let Some(Found::Entry(entry)) = walk.next().unwrap() else {
            panic!("entry {n} is not there");
        };
        assert_eq!(
            (entry.base_offset, &entry.body()[..]),
            (Offset(n), &body[..])
        );
    }
    assert!(walk.next().unwrap().is_none());
}

#[tokio::test]
async fn what_is_settled_before_it_moves_is_never_written_again() {
    let disk = SimDisk::default();
    let store = open(&disk);
    for _ in 0..1000 {
        let ops = vec![append(log(1), vec![7; 100])];
        let placed = store.submit(commit(Durability::Disk, ops)).unwrap();
        let below = placed.placed[0].base_offset.next();
        let trim = Op::Trim { log: log(1), below };
        let seq = store
            .submit(commit(Durability::Disk, vec![trim]))
            .unwrap()
            .seq;
        store.durable(seq, Durability::Disk).await.unwrap();
    }
    disk.wait(|names| names.len() < 8);
    assert_eq!(segments(&disk), 0, "{:?}", disk.file_names());
}

#[tokio::test]
async fn what_waits_for_no_disk_is_synced_in_its_segment_alone() {
    let disk = SimDisk::default();
    // Many files go at once.
    let options = StoreOptions {
        journal_bytes: 512 * 1024,
        ..small()
    };
    let store = NativeStore::start(Arc::new(disk.clone()), None, &options).unwrap();
    let mut seq = CommitSeq(0);
    for n in 0..10_000u32 {
        let ops = vec![append(log(1), vec![n as u8; 100])];
        seq = store.submit(commit(Durability::Os, ops)).unwrap().seq;
        if n % 100 == 0 {
            store.durable(seq, Durability::Os).await.unwrap();
            // So many are never unsynced that the writer syncs them.
            disk.wait(|names| count(names, is_journal) <= 24);
        }
    }
    store.durable(seq, Durability::Os).await.unwrap();
    disk.wait(|names| count(names, is_segment) > 3);
    let names = disk.file_names();
    let first = names.iter().find_map(|name| journal_number(name)).unwrap();
    // Each when it was made; one of those that go together once more, since its beginning stayed before.
    let once = (1..first).filter(|number| disk.syncs(&journal_name(*number)) == 1);
    let once = once.count();
    assert!(once * 2 > first as usize, "{once} of {first}");
    let cut = disk.after_cut(1);
    let kept = read_all(&open(&cut), log(1), Offset::ZERO).await;
    // A file takes more than sixty.
    let kept = kept.len();
    assert!(kept > 60 * (first as usize - 1), "only {kept}");
}

#[tokio::test]
async fn one_entry_that_is_kept_pins_one_segment() {
    let disk = SimDisk::default();
    let store = open(&disk);
    for _ in 0..80 {
        fill(&store, 25).await;
        disk.wait_for_moves();
    }
    assert!(segments(&disk) > 5);
    let range = Offset(1)..Offset(2000);
    let ops = vec![
        Op::Forget { log: log(1), range },
        Op::Trim {
            log: log(2),
            below: Offset(2000),
        },
    ];
    store.submit(commit(Durability::Disk, ops)).unwrap();
    disk.wait(|names| count(names, is_segment) <= 1);
    for _ in 0..2 {
        let first = read_all(&store, log(1), Offset::ZERO).await;
        assert_eq!(first[0].base_offset, Offset::ZERO);
    }
    store.close().await.unwrap();
    let read = read_all(&open(&disk), log(1), Offset::ZERO).await;
    assert_eq!(read[0].base_offset, Offset::ZERO);
}

#[tokio::test]
async fn a_log_that_comes_again_holds_nothing_of_the_one_before() {
    let disk = SimDisk::default();
    let store = open(&disk);
    fill(&store, 500).await;
    let drop_log = Op::DropLog { log: log(1) };
    store
        .submit(commit(Durability::Disk, vec![drop_log]))
        .unwrap();
    fill(&store, 300).await;
    store.close().await.unwrap();
    let store = open(&disk);
    let entries = read_all(&store, log(1), Offset::ZERO).await;
    let bodies = (0..300u32).map(|n| n as u8);
    assert!(entries.iter().map(|entry| entry.body()[0]).eq(bodies));
    assert_eq!(read_all(&store, log(2), Offset::ZERO).await.len(), 800);
}

#[tokio::test]
async fn trim_points_and_look_up_by_time_reach_into_segments() {
    let disk = SimDisk::default();
    let store = open(&disk);
    let before = Millis::now();
    fill(&store, 1000).await;
    disk.wait(|names| names.iter().any(|name| is_segment(name)));
    let kept = store
        .trim_point(log(1), Keep::Octets(30_000))
        .await
        .unwrap();
    assert!(kept <= Offset(700) && kept > Offset(400), "{kept}");
    let all = store
        .trim_point(log(1), Keep::Octets(1 << 40))
        .await
        .unwrap();
    assert_eq!(all, Offset::ZERO);
    let none = store.trim_point(log(1), Keep::Since(before)).await.unwrap();
    assert_eq!(none, Offset::ZERO);
    let later = Millis(Millis::now().0 + 1);
    let old = store.trim_point(log(1), Keep::Since(later)).await.unwrap();
    assert_eq!(old, Offset(1000));
    let first = store.entry_for_time(log(1), before).await.unwrap().unwrap();
    assert_eq!(first.base_offset, Offset::ZERO);
    assert!(store.entry_for_time(log(1), later).await.unwrap().is_none());
}

#[tokio::test]
async fn a_flipped_bit_anywhere_is_told_and_the_rest_is_served() {
    let disk = SimDisk::default();
    let store = open(&disk);
    fill(&store, 400).await;
    store.close().await.unwrap();
    drop(store);
    let mut random = super::sim::Random(17);
    for _ in 0..300 {
        let copy = disk.after_cut(0);
        let names = copy.file_names();
        let name = &names[random.below(names.len() as u64) as usize];
        copy.flip_bit(
            name,
            random.below(8 * copy.octets(name).len().max(1) as u64),
        );
        let store = NativeStore::start(Arc::new(copy.clone()), None, &small()).unwrap();
        for n in [1, 2] {
            let (mut served, mut damaged) = (0, 0);
            let mut next = Offset::ZERO;
            while next < Offset(400) {
                match store.read(log(n), next, super::ALL).await {
                    Ok(entries) => {
                        served += entries.len();
                        next = entries.last().unwrap().end_offset();
                    }
                    Err(error) => {
                        assert_eq!(error.kind(), standpipe_core::error::ErrorKind::Corrupt);
                        damaged += 1;
                        next = next.next();
                    }
                }
            }
            assert_eq!(served + damaged, 400, "{name}");
            assert!(damaged <= 1, "{name}: {damaged}");
        }
    }
}
