//! Promises about logs.

use standpipe_core::{
    entry::Fields,
    error::ErrorKind,
    id::{Millis, Offset},
    store::{Op, ReadLimit, Store},
};

use super::{ALL, append, new_log, settle, submit};

/// Offsets follow each other by span, append times never fall, and a read sees all at once.
///
/// # Panics
/// Where the store does otherwise.
pub async fn appends_are_dense_and_ordered(store: &dyn Store) {
    let (log, mut end, mut last) = (new_log(), 0, None);
    for span in [1, 5, 2, 1] {
        let submitted = submit(store, vec![append(log, &[span as u8], span)]).expect("an append");
        let placed = submitted.placed[0];
        assert_eq!(placed.base_offset, Offset(end), "offsets are dense");
        end += u64::from(span);
        assert!(last <= Some(placed.appended), "append times rise");
        last = Some(placed.appended);
        let entries = store
            .read(log, placed.base_offset, ALL)
            .await
            .expect("a read");
        assert_eq!(entries.len(), 1, "what was submitted can be read at once");
        settle(store, submitted.seq).await;
    }
    let entries = store.read(log, Offset::ZERO, ALL).await.expect("a read");
    let bodies: Vec<u8> = entries.iter().map(|entry| entry.body()[0]).collect();
    assert_eq!(bodies, [1, 5, 2, 1], "entries come in order, as appended");
    let bounds = store.bounds(log).await.expect("bounds");
    assert_eq!((bounds.start, bounds.end), (Offset::ZERO, Offset(end)));
}

/// A read starts with the entry that covers its offset, returns at least that, and ends in time.
///
/// # Panics
/// Where the store does otherwise.
pub async fn reads_respect_limits(store: &dyn Store) {
    let log = new_log();
    let ops = (0..10u8).map(|n| append(log, &[n; 100], 10)).collect();
    submit(store, ops).expect("an append");
    let read = async |from, bytes, entries| {
        let limit = ReadLimit { bytes, entries };
        let read = store.read(log, Offset(from), limit).await;
        read.map(|entries| entries.iter().map(|e| e.base_offset.0).collect::<Vec<_>>())
    };
    assert_eq!(
        read(15, 1, 9).await.expect("a read"),
        [10],
        "one entry whatever its size"
    );
    assert_eq!(
        read(0, 250, 9).await.expect("a read"),
        [0, 10],
        "octets are limited"
    );
    assert_eq!(
        read(99, 1000, 3).await.expect("a read"),
        [90],
        "from inside the last entry"
    );
    assert_eq!(
        read(40, 10_000, 3).await.expect("a read"),
        [40, 50, 60],
        "entries are limited"
    );
    assert!(
        read(100, 1, 1).await.expect("a read").is_empty(),
        "nothing at the end"
    );
    let beyond = read(101, 1, 1).await.expect_err("beyond the end");
    assert_eq!(beyond.kind(), ErrorKind::NotFound);
}

/// One commit appends to several logs, all of them or none.
///
/// # Panics
/// Where the store does otherwise.
pub async fn a_commit_spans_logs(store: &dyn Store) {
    let (left, right) = (new_log(), new_log());
    let both = vec![
        append(left, b"x", 1),
        append(right, b"x", 1),
        append(left, b"y", 1),
    ];
    let placed = submit(store, both).expect("an append").placed;
    let offsets: Vec<u64> = placed.iter().map(|placed| placed.base_offset.0).collect();
    assert_eq!(offsets, [0, 0, 1], "places come in the order of the steps");
    let impossible = Op::PutIf {
        key: bytes::Bytes::from_static(b"conformance/never-there"),
        expect: standpipe_core::store::Expect::Is(bytes::Bytes::from_static(b"x")),
        value: None,
    };
    let refused = submit(store, vec![append(left, b"z", 1), impossible]);
    assert_eq!(
        refused.expect_err("a lost compare").kind(),
        ErrorKind::Conflict
    );
    let bounds = store.bounds(left).await.expect("bounds");
    assert_eq!(bounds.end, Offset(2), "a refused commit appends nothing");
}

/// A trim moves the start, keeps the entry that covers it, and never passes the end.
///
/// # Panics
/// Where the store does otherwise.
pub async fn trim_moves_the_start(store: &dyn Store) {
    let log = new_log();
    let ops = (0..4u8).map(|n| append(log, &[n], 10)).collect();
    submit(store, ops).expect("an append");
    let trim = |below| {
        submit(
            store,
            vec![Op::Trim {
                log,
                below: Offset(below),
            }],
        )
    };
    trim(15).expect("a trim");
    let bounds = store.bounds(log).await.expect("bounds");
    assert_eq!((bounds.start, bounds.end), (Offset(15), Offset(40)));
    let entries = store.read(log, Offset(15), ALL).await.expect("a read");
    assert_eq!(
        entries[0].base_offset,
        Offset(10),
        "the covering entry stays"
    );
    let below = store
        .read(log, Offset(14), ALL)
        .await
        .expect_err("below the start");
    assert_eq!(below.kind(), ErrorKind::NotFound);
    trim(5).expect("a trim");
    trim(1000).expect("a trim");
    let bounds = store.bounds(log).await.expect("bounds");
    assert_eq!(
        (bounds.start, bounds.end),
        (Offset(40), Offset(40)),
        "clamped to the end"
    );
    let placed = submit(store, vec![append(log, b"x", 1)])
        .expect("an append")
        .placed;
    assert_eq!(placed[0].base_offset, Offset(40), "an emptied log goes on");
}

/// A commit with fields that no envelope carries is refused as a whole.
///
/// # Panics
/// Where the store does otherwise.
pub async fn what_no_envelope_carries_is_refused(store: &dyn Store) {
    let (log, other) = (new_log(), new_log());
    let mut large = append(log, b"x", 1);
    if let Op::Append { draft, .. } = &mut large {
        draft.fields.overlay = Some(vec![b'k'; Fields::OVERLAY_LIMIT + 1].into());
    }
    let refused = submit(store, vec![append(other, b"x", 1), large]);
    let refused = refused.expect_err("fields above the limit");
    assert_eq!(refused.kind(), ErrorKind::TooLarge, "{refused}");
    for log in [log, other] {
        let bounds = store.bounds(log).await.expect("bounds");
        assert_eq!(bounds.end, Offset::ZERO, "nothing of it is there");
        let placed = submit(store, vec![append(log, b"x", 1)])
            .expect("an append")
            .placed;
        assert_eq!(placed[0].base_offset, Offset::ZERO);
    }
}

/// A dropped log is as if it had never been.
///
/// # Panics
/// Where the store does otherwise.
pub async fn drop_forgets_the_log(store: &dyn Store) {
    let log = new_log();
    submit(store, vec![append(log, b"x", 7)]).expect("an append");
    submit(store, vec![Op::DropLog { log }]).expect("a drop");
    let bounds = store.bounds(log).await.expect("bounds");
    assert_eq!((bounds.start, bounds.end), (Offset::ZERO, Offset::ZERO));
}

/// Look-up by time compares the producer's clock where there is one, in log order.
///
/// # Panics
/// Where the store does otherwise.
pub async fn look_up_by_time_finds_the_first(store: &dyn Store) {
    let log = new_log();
    for created in [50, 30, 90, 70] {
        let mut op = append(log, b"x", 1);
        if let Op::Append { draft, .. } = &mut op {
            draft.created = Some((Millis(created), Millis(created)));
        }
        submit(store, vec![op]).expect("an append");
    }
    for (at, expected) in [(0, Some(0)), (51, Some(2)), (91, None)] {
        let found = store
            .entry_for_time(log, Millis(at))
            .await
            .expect("a look-up");
        let offset = found.map(|entry| entry.base_offset.0);
        assert_eq!(offset, expected, "the first at or after {at}");
    }
}
