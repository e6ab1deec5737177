//! Segments of which little is still needed.

use standpipe_core::{
    id::Offset,
    store::{Durability, Op, Store},
};

use super::{append, commit, log, read_all, recovery::open, sim::SimDisk};
use crate::store::{NativeStore, segment::segment_number};

/// Appends `count` entries of 100 octets.
async fn fill(store: &NativeStore, disk: &SimDisk, count: u32) {
    for n in 0..count {
        let ops = vec![append(log(1), vec![n as u8; 100])];
        let seq = store.submit(commit(Durability::Disk, ops)).unwrap().seq;
        store.durable(seq, Durability::Os).await.unwrap();
        if n % 150 == 149 {
            // Else the journal may move into few segments, and large ones.
            let is_journal = |name: &&String| name.ends_with(".journal");
            disk.wait(|names| names.iter().filter(is_journal).count() <= 3);
        }
    }
}

/// Says that nobody needs entries but every `kept`th.
async fn forget_but(store: &NativeStore, kept: usize, count: u64) {
    let kept: Vec<_> = (0..count).step_by(kept).chain([count]).collect();
    let ranges = kept.windows(2).map(|pair| pair[0] + 1..pair[1]);
    let forget = ranges.map(|range| Op::Forget {
        log: log(1),
        range: Offset(range.start)..Offset(range.end),
    });
    let ops = forget.collect();
    let seq = store.submit(commit(Durability::Disk, ops)).unwrap().seq;
    store.durable(seq, Durability::Disk).await.unwrap();
}

fn segments(names: &[String]) -> usize {
    let segments = names.iter().filter(|name| segment_number(name).is_some());
    segments.count()
}

#[tokio::test]
async fn a_few_entries_that_are_kept_pin_no_segments() {
    let disk = SimDisk::default();
    let store = open(&disk);
    fill(&store, &disk, 3000).await;
    disk.wait(|names| segments(names) > 10);
    forget_but(&store, 50, 2000).await;
    disk.wait(|names| segments(names) < 9);
    let expected: Vec<_> = (0..2000).step_by(50).chain(2000..3000).collect();
    for cut in [false, true] {
        let store = if cut {
            open(&disk.after_cut(7))
        } else {
            store.clone()
        };
        for from in [0, 30, 1950, 1951] {
            let read = read_all(&store, log(1), Offset(from)).await;
            let offsets: Vec<_> = read.iter().map(|entry| entry.base_offset.0).collect();
            let needed = expected.iter().filter(|offset| **offset >= from);
            assert!(
                needed.clone().all(|offset| offsets.contains(offset)),
                "{from} {cut}"
            );
            // A run across the end of what was forgotten is needed for the most part.
            assert!(offsets.len() < needed.count() + 300, "{from} {cut}");
            let is_whole = |n: u64, body: &[u8]| body == [n as u8; 100];
            assert!(
                read.iter()
                    .all(|entry| is_whole(entry.base_offset.0, entry.body()))
            );
        }
    }
    // What is left of them goes as before.
    forget_but(&store, 2000, 2000).await;
    let seq = store.submit(commit(Durability::Disk, vec![append(log(1), vec![1; 100])]));
    store
        .durable(seq.unwrap().seq, Durability::Disk)
        .await
        .unwrap();
    store.close().await.unwrap();
    drop(store);
    let read = read_all(&open(&disk), log(1), Offset(1)).await;
    assert!(read.iter().any(|entry| entry.base_offset == Offset(2000)));
}
