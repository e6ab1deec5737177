//! Promises about space: what is forgotten, what is counted, and how far a log can be trimmed.

use standpipe_core::{
    id::{LogId, Millis, Offset},
    store::{Keep, Op, Store},
};

use super::{ALL, append, new_log, submit};

fn forget(log: LogId, from: u64, to: u64) -> Op {
    let range = Offset(from)..Offset(to);
    Op::Forget { log, range }
}

async fn bases(store: &dyn Store, log: LogId, from: u64) -> Vec<u64> {
    let read = store.read(log, Offset(from), ALL).await;
    let entries = read.expect("a read within the log's ends");
    entries.iter().map(|entry| entry.base_offset.0).collect()
}

/// A forgotten range is passed over; what lies in it only in part stays, the ends stay, and saying
/// it again changes nothing.
///
/// # Panics
/// Where the store does otherwise.
pub async fn forgotten_ranges_are_passed_over(store: &dyn Store) {
    let log = new_log();
    let ops = (0..5u8).map(|n| append(log, &[n; 100], 10)).collect();
    submit(store, ops).expect("an append");
    for _ in 0..2 {
        submit(store, vec![forget(log, 10, 35)]).expect("a forget");
        let found = bases(store, log, 0).await;
        assert_eq!(found, [0, 30, 40], "all that lies in it whole is gone");
        assert_eq!(bases(store, log, 15).await, [30, 40], "from 15 on");
        let bounds = store.bounds(log).await.expect("bounds");
        assert_eq!((bounds.start, bounds.end), (Offset(0), Offset(50)));
    }
    submit(store, vec![forget(log, 0, 50)]).expect("a forget of everything");
    assert!(bases(store, log, 7).await.is_empty(), "all is forgotten");
    assert!(bases(store, log, 50).await.is_empty(), "nothing at the end");
    let placed = submit(store, vec![append(log, b"x", 1)]).expect("an append");
    assert_eq!(placed.placed[0].base_offset, Offset(50), "the log goes on");
    assert_eq!(bases(store, log, 7).await, [50]);
    assert_eq!(bases(store, log, 50).await, [50]);
}

/// An entry of which some offsets from where a read begins are needed is there whole.
///
/// # Panics
/// Where the store does otherwise.
pub async fn an_entry_is_never_there_in_part(store: &dyn Store) {
    let log = new_log();
    let ops = [7, 1, 20, 3, 50].map(|span| append(log, &[span as u8; 100], span));
    submit(store, ops.to_vec()).expect("an append");
    let cut = [(3, 12), (20, 29), (29, 40)].map(|(from, to)| forget(log, from, to));
    submit(store, cut.to_vec()).expect("a forget");
    let below = Offset(2);
    submit(store, vec![Op::Trim { log, below }]).expect("a trim");
    let needed = [(0, 7), (8, 28), (31, 81)];
    for from in 2..81 {
        let read = store.read(log, Offset(from), ALL).await.expect("a read");
        let found = read.iter().map(|e| (e.base_offset.0, e.end_offset().0));
        // What is forgotten from where the read begins on may be gone: an entry in a range, one that
        // two ranges cover together, and the rest of one.
        let may_be_gone = |at: &(u64, u64)| match at {
            (7, 8) | (28, 31) => true,
            (0, 7) => from >= 3,
            (8, 28) => from >= 20,
            _ => false,
        };
        let found = found.filter(|at| !may_be_gone(at));
        let needed = needed
            .into_iter()
            .filter(|at| at.1 > from && !may_be_gone(at));
        assert!(found.eq(needed), "read from {from}");
    }
}

/// A log knows the octets of its bodies, and what is trimmed or forgotten adds none.
///
/// # Panics
/// Where the store does otherwise.
pub async fn octets_are_counted(store: &dyn Store) {
    let log = new_log();
    let octets = async || store.bounds(log).await.expect("bounds").octets;
    assert_eq!(octets().await, 0, "nothing was written");
    let ops = (0..4u8).map(|n| append(log, &[n; 100], 10)).collect();
    submit(store, ops).expect("an append");
    assert_eq!(octets().await, 400);
    submit(store, vec![forget(log, 20, 30)]).expect("a forget");
    assert!((300..=400).contains(&octets().await));
    let below = Offset(20);
    submit(store, vec![Op::Trim { log, below }]).expect("a trim");
    assert!((100..=400).contains(&octets().await));
}

/// A trim point leaves what is to be kept: it may lie below what would be possible, never above.
///
/// # Panics
/// Where the store does otherwise.
pub async fn trim_points_keep_enough(store: &dyn Store) {
    let log = new_log();
    let point = async |keep| store.trim_point(log, keep).await.expect("a point").0;
    assert_eq!(point(Keep::Octets(0)).await, 0, "nothing was written");
    let ops = (0..10u8).map(|n| append(log, &[n; 100], 10)).collect();
    let placed = submit(store, ops).expect("an append").placed;
    assert_eq!(point(Keep::Octets(1000)).await, 0, "all of it fits");
    assert!(point(Keep::Octets(350)).await <= 70, "three fit");
    assert!(point(Keep::Octets(0)).await <= 100);
    assert_eq!(point(Keep::Since(placed[0].appended)).await, 0);
    let later = Millis(placed[9].appended.0 + 1);
    assert!(point(Keep::Since(later)).await <= 100);
    let below = Offset(30);
    submit(store, vec![Op::Trim { log, below }]).expect("a trim");
    assert_eq!(point(Keep::Octets(700)).await, 30, "never below the start");
    assert_eq!(point(Keep::Since(Millis(0))).await, 30);
}
