//! Space of segments that nobody needs, where the disk or a reader is in the way.

use std::{
    io,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use standpipe_core::{
    id::Offset,
    store::{Durability, Op, Store},
};

use super::{
    append, commit, count,
    gate::{Gate, Step},
    is_segment, log, read_all,
    recovery::open,
    sim::SimDisk,
};
use crate::store::{
    segment::{Segments, segment_name},
    vfs::Disk,
};

#[tokio::test]
async fn what_the_disk_does_not_remove_at_first_is_removed_later_with_all_behind_it() {
    const REFUSED: usize = 2;
    let (disk, tries) = (SimDisk::default(), AtomicUsize::new(0));
    let gate = Gate::new(&disk, move |step, name| {
        let removes = step == Step::Remove && is_segment(name);
        if removes && tries.fetch_add(1, Ordering::Relaxed) < REFUSED {
            return Err(io::Error::other("the disk refuses"));
        }
        Ok(())
    });
    let store = gate.start();
    let mut end = Offset::ZERO;
    for n in 0..1000u32 {
        let ops = vec![append(log(1), vec![n as u8; 200])];
        let seq = store.submit(commit(Durability::Disk, ops)).unwrap().seq;
        store.durable(seq, Durability::Disk).await.unwrap();
        end = end.next();
        if n % 20 == 0 {
            disk.wait_for_moves();
        }
    }
    assert!(count(&disk.file_names(), is_segment) > 3);
    let (log, below) = (log(1), end);
    let trim = vec![Op::Trim { log, below }];
    let seq = store.submit(commit(Durability::Disk, trim)).unwrap().seq;
    store.durable(seq, Durability::Disk).await.unwrap();
    disk.wait(|names| count(names, is_segment) == 0);
}

#[test]
fn a_reader_beside_its_removal_keeps_no_segment_open() {
    let disk = SimDisk::default();
    drop(disk.create(&segment_name(1), 0).unwrap());
    let read: Arc<OnceLock<Segments>> = Arc::default();
    let reader = read.clone();
    let gate = Gate::new(&disk, move |step, _| {
        if step == Step::Remove {
            reader.get().unwrap().get(1)?;
        }
        Ok(())
    });
    let segments = read.get_or_init(|| Segments::new(Arc::new(gate)));
    segments.get(1).unwrap();
    segments.remove(1).unwrap();
    let gone = segments.get(1).err().map(|error| error.kind());
    assert_eq!(gone, Some(io::ErrorKind::NotFound));
}

#[tokio::test]
async fn runs_smaller_than_a_block_give_their_space_back_together_beside_one_that_is_kept() {
    const LOGS: u128 = 40;
    const EACH: u64 = 12;
    let disk = SimDisk::default();
    let store = open(&disk);
    for n in 0..LOGS * u128::from(EACH) {
        let ops = vec![append(log(n % LOGS), vec![n as u8; 300])];
        let seq = store.submit(commit(Durability::Disk, ops)).unwrap().seq;
        store.durable(seq, Durability::Disk).await.unwrap();
        if n % 20 == 0 {
            disk.wait_for_moves();
        }
    }
    assert!(count(&disk.file_names(), is_segment) > 1);
    let trim = |n| Op::Trim {
        log: log(n),
        below: Offset(EACH),
    };
    let trims = (1..LOGS).map(trim).collect();
    let seq = store.submit(commit(Durability::Disk, trims)).unwrap().seq;
    store.durable(seq, Durability::Disk).await.unwrap();
    // What is left: where the first log's runs lie, and the tables.
    loop {
        let (octets, taken) = disk.taken(is_segment);
        if taken * 2 < octets {
            break;
        }
        tokio::task::yield_now().await;
    }
    let kept = read_all(&store, log(0), Offset::ZERO).await;
    assert_eq!(kept.len() as u64, EACH);
}
