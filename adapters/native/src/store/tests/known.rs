//! Damage that was found once stays known until it is trimmed or given up.

use std::sync::Arc;

use standpipe_core::{
    entry::{Draft, Format},
    error::{Error, ErrorKind},
    id::Offset,
    store::{Durability, Op, Store},
};

use super::{
    ALL, append, commit, count, is_segment, log, read_all,
    recovery::{open, small},
    sim::SimDisk,
};
use crate::store::{
    NativeStore,
    inspect::{Inspection, Severity, Stored},
    position::journal_name,
};

const SPAN: u64 = 10;

/// Batches of ten in one log, and other entries in another.
async fn fill(store: &NativeStore, count: u8) {
    for n in 0..count {
        let draft = Draft::batch(Format::KAFKA2, vec![n; 100].into(), SPAN as u32);
        let ops = vec![
            Op::Append { log: log(1), draft },
            append(log(2), vec![b'x'; 100]),
        ];
        let seq = store.submit(commit(Durability::Disk, ops)).unwrap().seq;
        store.durable(seq, Durability::Disk).await.unwrap();
    }
}

/// Damages the third batch in the journal: three bits of its envelope, or of its body.
fn damage(disk: &SimDisk, in_envelope: bool) {
    let octets = disk.octets(&journal_name(1));
    let body = octets.windows(100).position(|window| window == [2; 100]);
    let at = body.unwrap() - if in_envelope { 40 } else { 0 };
    (at..at + 3).for_each(|octet| disk.flip(&journal_name(1), octet));
}

fn told(disk: &SimDisk) -> Vec<(u64, u64)> {
    let inspection = Inspection::over(Arc::new(disk.clone()), None).unwrap();
    let mut lost = Vec::new();
    let report = |finding: crate::store::inspect::Finding| {
        if finding.severity == Severity::Lost && finding.log == Some(log(1)) {
            lost.extend(finding.offsets.map(|range| (range.start.0, range.end.0)));
        }
    };
    inspection.check(report).unwrap();
    let stat = inspection.logs().unwrap();
    assert_eq!(
        stat[0].lost,
        lost.iter().map(|(from, to)| to - from).sum::<u64>()
    );
    lost
}

/// What going through all entries tells of what is not there.
fn passed_over(disk: &SimDisk) -> Vec<(u64, u64)> {
    let inspection = Inspection::over(Arc::new(disk.clone()), None).unwrap();
    let mut lost = Vec::new();
    let visit = |stored| {
        if let Stored::Damaged(range, _) = stored {
            lost.push((range.start.0, range.end.0));
        }
        Ok::<_, Error>(())
    };
    inspection.entries(log(1), visit).unwrap();
    lost
}

async fn refuses(store: &NativeStore) {
    let refused = store.submit(commit(Durability::Disk, vec![append(log(1), "y")]));
    let refused = refused.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Corrupt);
    assert!(refused.message().contains("offsets 20 to 29"), "{refused}");
    assert!(refused.message().contains("--accept-loss"), "{refused}");
    for offset in 20..30 {
        let read = store.read(log(1), Offset(offset), ALL).await.unwrap_err();
        assert_eq!(read.kind(), ErrorKind::Corrupt, "{offset}: {read}");
    }
    let before = store.read(log(1), Offset(5), ALL).await.unwrap();
    assert_eq!(before.len(), 2, "what comes before it, and no further");
    let behind = store.read(log(1), Offset(30), ALL).await.unwrap();
    assert_eq!(behind[0].base_offset, Offset(30));
    let other = store.submit(commit(Durability::Disk, vec![append(log(2), "y")]));
    other.unwrap();
}

/// Lets the journal's first file go, and what it held into a segment.
async fn flush(store: &NativeStore, disk: &SimDisk) {
    for _ in 0..300 {
        let ops = vec![append(log(2), vec![b'x'; 200])];
        let seq = store.submit(commit(Durability::Disk, ops)).unwrap().seq;
        store.durable(seq, Durability::Disk).await.unwrap();
    }
    disk.wait(|names| !names.contains(&journal_name(1)));
    assert!(count(&disk.file_names(), is_segment) > 0);
}

#[tokio::test]
async fn what_is_damaged_stays_refused_and_told_wherever_it_moves() {
    for in_envelope in [false, true] {
        let disk = SimDisk::default();
        let mut store = open(&disk);
        fill(&store, 9).await;
        if in_envelope {
            damage(&disk, in_envelope); // while it runs: found when it moves
        } else {
            store.close().await.unwrap();
            damage(&disk, in_envelope); // found when it is opened
            store = open(&disk);
            refuses(&store).await;
            assert_eq!(told(&disk), [(20, 30)]);
        }
        flush(&store, &disk).await;
        refuses(&store).await;
        store.close().await.unwrap();
        for _ in 0..2 {
            assert_eq!(told(&disk), [(20, 30)], "{in_envelope}");
            assert_eq!(passed_over(&disk), [(20, 30)], "{in_envelope}");
            refuses(&open(&disk)).await;
        }
    }
}

#[tokio::test]
async fn what_is_trimmed_or_given_up_is_damaged_no_more() {
    for given_up in [
        Op::Trim {
            log: log(1),
            below: Offset(30),
        },
        Op::Forget {
            log: log(1),
            range: Offset(20)..Offset(30),
        },
    ] {
        let disk = SimDisk::default();
        let store = open(&disk);
        fill(&store, 9).await;
        store.close().await.unwrap();
        damage(&disk, false);
        let store = NativeStore::start(Arc::new(disk.clone()), None, &small()).unwrap();
        refuses(&store).await;
        store
            .submit(commit(Durability::Disk, vec![given_up.clone()]))
            .unwrap();
        for reopened in [false, true] {
            let store = if reopened { open(&disk) } else { store.clone() };
            let start = store.bounds(log(1)).await.unwrap().start;
            let read = read_all(&store, log(1), start).await;
            assert!(read.iter().all(|entry| entry.base_offset != Offset(20)));
            assert!(read.last().unwrap().end_offset() > Offset(80));
            let read = store
                .read(log(1), Offset(25).max(start), ALL)
                .await
                .unwrap();
            assert_eq!(read[0].base_offset, Offset(30));
            let again = store.submit(commit(Durability::Disk, vec![append(log(1), "y")]));
            again.unwrap();
            store.close().await.unwrap();
            assert_eq!(told(&disk), []);
            assert_eq!(passed_over(&disk), []);
        }
    }
}

#[tokio::test]
async fn a_lost_segment_is_told_and_the_rest_is_served() {
    let disk = SimDisk::default();
    let store = open(&disk);
    fill(&store, 9).await;
    flush(&store, &disk).await;
    store.close().await.unwrap();
    let names = disk.file_names();
    let segment = names.iter().find(|name| is_segment(name));
    let segment = segment.unwrap();
    let end = disk.octets(segment).len();
    (end - 60..end - 57).for_each(|octet| disk.flip(segment, octet));
    for _ in 0..2 {
        let store = open(&disk);
        let refused = store.submit(commit(Durability::Disk, vec![append(log(1), "y")]));
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Corrupt);
        let end = store.bounds(log(1)).await.unwrap().end;
        let (mut served, mut lost) = (0, Vec::new());
        for offset in 0..end.0 {
            match store.read(log(1), Offset(offset), ALL).await {
                Ok(entries) => served += u64::from(entries[0].covers(Offset(offset))),
                Err(error) => {
                    assert!(error.message().contains(&segment[..]), "{error}");
                    lost.push(offset);
                }
            }
        }
        assert_eq!(served + lost.len() as u64, end.0);
        let (first, last) = (lost[0], *lost.last().unwrap());
        // A check is for a store at rest: what moves into a segment meanwhile is in neither for it.
        store.close().await.unwrap();
        assert_eq!(told(&disk), [(first, last + 1)]);
        assert_eq!(passed_over(&disk), [(first, last + 1)]);
    }
}
