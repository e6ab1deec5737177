//! Segments of which little is still needed.

use std::{
    io,
    ops::Range,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use standpipe_core::{
    entry::{Draft, Format},
    id::{Millis, Offset},
    store::{Durability, Op, Store},
};
use tokio::sync::watch;

use super::{
    append, commit,
    gate::{Gate, Step},
    is_segment, log, read_all,
    recovery::open,
    sim::{Random, SimDisk},
};
use crate::store::NativeStore;

/// Appends an entry of 100 octets.
async fn append_at(store: &NativeStore, n: u64, time: Millis) {
    let mut draft = Draft::single(Format::NATIVE, vec![n as u8; 100].into());
    draft.created = Some((time, time));
    let ops = vec![Op::Append { log: log(1), draft }];
    let seq = store.submit(commit(Durability::Disk, ops)).unwrap().seq;
    store.durable(seq, Durability::Os).await.unwrap();
}

/// Says that nobody needs the entries of `range` but every `kept`th.
pub(super) async fn forget_but(store: &NativeStore, kept: usize, range: Range<u64>) {
    let end = range.end;
    let kept: Vec<_> = range.step_by(kept).chain([end]).collect();
    let ranges = kept.windows(2).map(|pair| pair[0] + 1..pair[1]);
    let forget = ranges.map(|range| Op::Forget {
        log: log(1),
        range: Offset(range.start)..Offset(range.end),
    });
    let ops = forget.collect();
    let seq = store.submit(commit(Durability::Disk, ops)).unwrap().seq;
    store.durable(seq, Durability::Disk).await.unwrap();
}

/// Appends so many entries that there are some segments; returns those.
async fn fill_segments(store: &NativeStore, disk: &SimDisk) -> Vec<String> {
    for n in 0..3000 {
        append_at(store, n, Millis(n as i64)).await;
        if n % 50 == 0 {
            disk.wait_for_moves();
        }
    }
    disk.wait_for_moves();
    let names = disk.file_names();
    let segments: Vec<_> = names.into_iter().filter(|name| is_segment(name)).collect();
    assert!(segments.len() >= 6, "{segments:?}");
    segments
}

#[tokio::test]
async fn a_few_entries_that_are_kept_pin_no_segments() {
    let disk = SimDisk::default();
    let store = open(&disk);
    // Two thirds of what is written is forgotten, at least the first third of the segments with it.
    let before = fill_segments(&store, &disk).await;
    forget_but(&store, 50, 0..2000).await;
    let sparse = &before[..before.len() / 3];
    disk.wait(|names| !sparse.iter().any(|name| names.contains(name)));
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
    forget_but(&store, 2000, 0..2000).await;
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

#[tokio::test]
async fn a_segment_that_cannot_be_read_keeps_its_space_and_no_other_does() {
    let (disk, unreadable) = (SimDisk::default(), Arc::new(OnceLock::<String>::new()));
    let known = unreadable.clone();
    let gate = Gate::new(&disk, move |step, name| match known.get() {
        Some(unreadable) if step == Step::Read && name == unreadable => {
            Err(io::Error::other("a bad sector"))
        }
        _ => Ok(()),
    });
    let store = gate.start();
    let before = fill_segments(&store, &disk).await;
    unreadable.set(before[0].clone()).unwrap();
    forget_but(&store, 50, 0..2000).await;
    let sparse = &before[1..before.len() / 3];
    disk.wait(|names| !sparse.iter().any(|name| names.contains(name)));
    assert!(disk.file_names().contains(&before[0]));
    store.close().await.unwrap();
    let read = read_all(&open(&disk), log(1), Offset::ZERO).await;
    assert_eq!(read[0].base_offset, Offset::ZERO);
}

#[tokio::test]
async fn what_cannot_be_opened_for_want_of_descriptors_gives_its_space_back_later() {
    const EMFILE: i32 = 24;
    let (disk, refused) = (SimDisk::default(), AtomicBool::new(false));
    let gate = Gate::new(&disk, move |step, name| {
        let opens = step == Step::Open && is_segment(name);
        if opens && !refused.swap(true, Ordering::Relaxed) {
            return Err(io::Error::from_raw_os_error(EMFILE));
        }
        Ok(())
    });
    let store = gate.start();
    let before = fill_segments(&store, &disk).await;
    forget_but(&store, 50, 0..2000).await;
    // The first run of all is the first that is opened.
    let sparse = &before[..before.len() / 3];
    disk.wait(|names| !sparse.iter().any(|name| names.contains(name)));
}

/// Appends one entry of 100 octets after the other, each of the time that is its offset, and forgets
/// what is older but every 50th.
async fn append_and_forget(store: Arc<NativeStore>, known: watch::Sender<u64>) {
    for n in 1..6000 {
        append_at(&store, n, Millis(n as i64)).await;
        known.send_replace(n);
        if n % 100 == 0 && n > 1000 {
            forget_but(&store, 50, n - 600..n - 500).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn look_up_by_time_finds_what_moves_meanwhile() {
    let store = open(&SimDisk::default());
    // Each look-up searches its run in vain first: by the time that it goes on, what it seeks may
    // have moved.
    append_at(&store, 0, Millis(i64::MAX)).await;
    let (known, mut newest) = watch::channel(0);
    let changing = tokio::spawn(append_and_forget(store.clone(), known));
    newest.wait_for(|newest| *newest >= 1000).await.unwrap();
    let (log, below) = (log(1), Offset(1));
    let trim = commit(Durability::Disk, vec![Op::Trim { log, below }]);
    store.submit(trim).unwrap();
    let mut random = Random(3);
    while !changing.is_finished() {
        let newest = *newest.borrow();
        let at = (newest - random.below(900)) / 50 * 50;
        let found = store.entry_for_time(log, Millis(at as i64)).await;
        assert_eq!(found.unwrap().unwrap().base_offset, Offset(at));
    }
    changing.await.unwrap();
}
