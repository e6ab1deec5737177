//! Promises about keys, cursors, epochs, and what lasts.

use bytes::Bytes;
use standpipe_core::{
    error::ErrorKind,
    id::{CursorId, Offset, PartitionId, SubscriptionId},
    store::{Commit, Durability, Epoch, Expect, Op, Store},
};

use super::{ALL, Open, append, epoch, new_log, settle, submit};

fn put(key: &Bytes, expect: Expect, value: Option<&'static str>) -> Op {
    Op::PutIf {
        key: key.clone(),
        expect,
        value: value.map(|value| Bytes::from_static(value.as_bytes())),
    }
}

fn new_cursor() -> CursorId {
    CursorId {
        subscription: SubscriptionId::random(),
        partition: PartitionId(3),
    }
}

fn change(cursor: CursorId, change: &'static str, reset: bool) -> Op {
    Op::Cursor {
        cursor,
        change: Bytes::from_static(change.as_bytes()),
        reset,
    }
}

/// A key changes only where it is as expected; a scan returns a prefix in order.
///
/// # Panics
/// Where the store does otherwise.
pub async fn keys_compare_and_set(store: &dyn Store) {
    let prefix = format!("conformance/{}/", SubscriptionId::random().0);
    let key = |name: &str| Bytes::from(format!("{prefix}{name}"));
    let (a, b) = (key("a"), key("b"));
    submit(store, vec![put(&b, Expect::Absent, Some("2"))]).expect("a put");
    submit(store, vec![put(&a, Expect::Absent, Some("1"))]).expect("a put");
    let lost = submit(store, vec![put(&a, Expect::Absent, Some("3"))]);
    assert_eq!(
        lost.expect_err("a lost compare").kind(),
        ErrorKind::Conflict
    );
    let is_one = Expect::Is(Bytes::from_static(b"1"));
    submit(store, vec![put(&a, is_one, Some("4"))]).expect("a put that expects what is there");
    let found = store
        .scan(Bytes::from(prefix.clone()))
        .await
        .expect("a scan");
    let expected = [(a.clone(), "4"), (b.clone(), "2")];
    assert_eq!(
        found,
        expected.map(|(key, value)| (key, Bytes::from(value)))
    );
    submit(store, vec![put(&a, Expect::Any, None)]).expect("a removal");
    assert_eq!(store.get(a).await.expect("a get"), None);
}

/// A cursor is its last snapshot and the changes since, in order.
///
/// # Panics
/// Where the store does otherwise.
pub async fn cursors_are_a_snapshot_and_changes(store: &dyn Store) {
    let cursor = new_cursor();
    let steps = [("a", false), ("b", false), ("S", true), ("c", false)];
    for (octets, reset) in steps {
        submit(store, vec![change(cursor, octets, reset)]).expect("a change");
    }
    assert_eq!(store.cursor(cursor).await.expect("a cursor"), ["S", "c"]);
    submit(store, vec![Op::DropCursor { cursor }]).expect("a drop");
    assert!(store.cursor(cursor).await.expect("a cursor").is_empty());
}

/// Who comes with a lower epoch than was seen is refused.
///
/// # Panics
/// Where the store does otherwise.
pub async fn lower_epochs_are_fenced(store: &dyn Store) {
    let with = |epoch| {
        store.submit(Commit {
            ops: Vec::new(),
            durability: Durability::Disk,
            epoch: Epoch(epoch),
        })
    };
    let Epoch(earlier) = epoch();
    with(earlier + 1).expect("a later owner");
    with(earlier + 1).expect("the same owner");
    let fenced = with(earlier).expect_err("an earlier owner");
    assert_eq!(fenced.kind(), ErrorKind::Conflict);
}

/// After a close nothing is taken, and closing again is no error.
///
/// # Panics
/// Where the store does otherwise.
pub async fn a_closed_store_refuses(store: &dyn Store) {
    store.close().await.expect("a close");
    store.close().await.expect("a second close");
    let refused = submit(store, Vec::new()).expect_err("a commit behind the end");
    assert_eq!(refused.kind(), ErrorKind::Closed);
}

/// Logs, keys and cursors are there again, and the leader epoch does not fall.
///
/// # Panics
/// Where the store does otherwise.
pub async fn what_was_durable_is_there_when_opened_again(open: Open<'_>) {
    let (log, cursor) = (new_log(), new_cursor());
    let key = Bytes::from(format!("conformance/{}", log.topic.0));
    let store = open().await;
    let ops = vec![
        append(log, b"one", 1),
        append(log, b"batch", 9),
        put(&key, Expect::Absent, Some("value")),
        change(cursor, "changed", false),
        Op::Trim {
            log,
            below: Offset(1),
        },
    ];
    let before = submit(&*store, ops).expect("a commit");
    settle(&*store, before.seq).await;
    store.close().await.expect("a close");
    drop(store);
    let store = open().await;
    let bounds = store.bounds(log).await.expect("bounds");
    assert_eq!((bounds.start, bounds.end), (Offset(1), Offset(10)));
    let entries = store.read(log, Offset(1), ALL).await.expect("a read");
    assert_eq!(entries[0].body(), &Bytes::from_static(b"batch"));
    assert_eq!(
        store.get(key).await.expect("a get"),
        Some(Bytes::from("value"))
    );
    assert_eq!(store.cursor(cursor).await.expect("a cursor"), ["changed"]);
    let after = submit(&*store, vec![append(log, b"x", 1)]).expect("a commit");
    let (before, after) = (before.placed[0], after.placed[0]);
    assert_eq!(after.base_offset, Offset(10));
    assert!(
        after.leader_epoch > before.leader_epoch,
        "the leader epoch rises"
    );
    store.close().await.expect("a close");
}
