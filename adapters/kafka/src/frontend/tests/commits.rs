//! Partitions that a commit names again and again.

use std::sync::atomic::{AtomicUsize, Ordering};

use standpipe_core::{
    Result,
    store::{Commit, Layered, Op, StoreLayer, Submitted},
};

use super::*;
use crate::codec::api::offsets::*;

/// A store that counts what is done to cursors.
#[derive(Default)]
struct Counting {
    inner: MemoryStore,
    steps: AtomicUsize,
}

impl StoreLayer for Counting {
    fn inner(&self) -> &dyn Store {
        &self.inner
    }

    fn submit(&self, commit: Commit) -> Result<Submitted> {
        let is_of_cursor = |op: &&Op| matches!(op, Op::Cursor { .. } | Op::DropCursor { .. });
        let steps = commit.ops.iter().filter(is_of_cursor).count();
        self.steps.fetch_add(steps, Ordering::Relaxed);
        self.inner.submit(commit)
    }
}

/// Commits offsets of the one partition of `t`.
async fn commit(client: &Client, offsets: &[i64]) {
    let partitions = offsets.iter().map(|offset| CommitPartition {
        committed_offset: *offset,
        ..Default::default()
    });
    let asked = OffsetCommitRequest {
        group_id: "g".into(),
        generation_id: -1,
        topics: vec![CommitTopic {
            name: "t".into(),
            partitions: partitions.collect(),
        }],
        ..Default::default()
    };
    let said = crate::frontend::offsets::commit(client, asked).await;
    let told = &said.topics[0].partitions;
    assert_eq!(told.len(), offsets.len());
    assert!(told.iter().all(|one| one.error_code == 0));
}

#[tokio::test]
async fn a_partition_that_is_named_again_takes_one_step_and_what_it_says_last() {
    let store = Arc::new(Layered(Counting::default()));
    let broker = opened(store.clone(), Options::default()).await;
    broker.ensure_topic(NAMESPACE, "t").await.unwrap();
    let client = connected(broker).await;
    commit(&client, &[1]).await;
    for (offsets, left) in [
        ((0..1000).collect::<Vec<i64>>(), Some(Offset(999))),
        (vec![-1, 5], Some(Offset(5))),
        (vec![6, -1], None),
    ] {
        let before = store.steps.load(Ordering::Relaxed);
        commit(&client, &offsets).await;
        assert_eq!(store.steps.load(Ordering::Relaxed) - before, 1);
        let held = client.broker().group_offsets(NAMESPACE, "g");
        let held = held.first().map(|stored| stored.offset.offset);
        assert_eq!(held, left, "{offsets:?}");
    }
}

#[tokio::test]
async fn it_is_taken_back_in_one_step_as_well() {
    let store = Arc::new(Layered(Counting::default()));
    let broker = opened(store.clone(), Options::default()).await;
    broker.ensure_topic(NAMESPACE, "t").await.unwrap();
    let client = connected(broker).await;
    commit(&client, &[1]).await;
    let before = store.steps.load(Ordering::Relaxed);
    let partition = OffsetDeletePartition { partition_index: 0 };
    let asked = OffsetDeleteRequest {
        group_id: "g".into(),
        topics: vec![OffsetDeleteTopic {
            name: "t".into(),
            partitions: vec![partition; 1000],
        }],
    };
    let said = crate::frontend::offset_delete::answer(&client, asked).await;
    assert_eq!(said.error_code, 0);
    assert_eq!(store.steps.load(Ordering::Relaxed) - before, 1);
    assert_eq!(client.broker().group_offsets(NAMESPACE, "g"), []);
}
