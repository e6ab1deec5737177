//! A group goes whole, and only where whoever knows its members agrees.

use std::{cell::Cell, pin::pin};

use futures::FutureExt;

use super::*;
use crate::{
    broker::{Options, TopicSpec},
    codec::Codecs,
    store::MemoryStore,
};

/// A broker with two topics, on both of which the group `g` has committed.
async fn committed() -> Broker {
    committed_on(&Arc::default()).await
}

async fn open(store: &Arc<MemoryStore>) -> Broker {
    let opened = Broker::open(store.clone(), Codecs::default(), Options::default());
    opened.await.unwrap()
}

async fn committed_on(store: &Arc<MemoryStore>) -> Broker {
    let broker = open(store).await;
    for name in ["t", "u"] {
        let created = broker.create_topic(TopicSpec::new("/", name));
        created.await.unwrap();
        let offset = GroupOffset {
            topic: name.into(),
            partition: PartitionId(0),
            offset: Offset(1),
            leader_epoch: -1,
            metadata: Bytes::new(),
        };
        let committed = broker.group_commit("/", "g", &[offset]).await.unwrap();
        committed.wait().await.unwrap();
    }
    broker
}

#[tokio::test]
async fn what_was_committed_beyond_the_end_is_what_it_was_after_a_restart() {
    let store = Arc::default();
    drop(committed_on(&store).await);
    let broker = open(&store).await;
    let stored = broker.group_offsets("/", "g").into_iter();
    let offsets: Vec<_> = stored.map(|stored| stored.offset.offset).collect();
    assert_eq!(offsets, [Offset(1); 2], "there are no messages");
}

/// Counts the groups that are left when it is dropped.
struct Held<'a> {
    broker: &'a Broker,
    left: &'a Cell<Option<usize>>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.left.set(Some(self.broker.groups("/").len()));
    }
}

#[tokio::test]
async fn a_deletion_asks_in_its_turn_and_leaves_what_is_in_use() {
    let broker = committed().await;
    let asked = Cell::new(false);
    let in_use = || {
        asked.set(true);
        None::<()>
    };
    let turn = broker.turn().await;
    let mut deleting = pin!(broker.delete_group_if("/", "g", in_use));
    assert!(deleting.as_mut().now_or_never().is_none());
    assert!(!asked.get(), "others may be at work");
    drop(turn);
    assert!(!deleting.await.unwrap());
    assert!(asked.get());
    assert_eq!(broker.group_offsets("/", "g").len(), 2);
}

#[tokio::test]
async fn a_group_is_gone_from_every_topic_when_it_is_let_go() {
    let broker = committed().await;
    assert!(broker.has_group("/", "g"));
    let left = Cell::new(None);
    let hold = || {
        Some(Held {
            broker: &broker,
            left: &left,
        })
    };
    let deleted = broker.delete_group_if("/", "g", hold).await;
    assert!(deleted.unwrap());
    assert_eq!(left.get(), Some(0));
    assert!(!broker.has_group("/", "g"));
    assert!(!broker.delete_group("/", "g").await.unwrap(), "again");
}
