//! A broker that stops at any commit while it moves what is due: nothing is lost, nothing comes twice.
#![allow(clippy::unwrap_used)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use standpipe_core::{
    broker::{Admission, Broker, LaneId, Options, Publish, Target},
    codec::Codecs,
    error::{Error, ErrorKind, Result},
    id::{Millis, Offset, PartitionId},
    message::Message,
    native::NativeCodec,
    store::{Commit, Durability, Layered, MemoryStore, ReadLimit, Store, StoreLayer, Submitted},
};

/// Takes so many commits, and refuses what comes after.
struct Stopping {
    store: Arc<MemoryStore>,
    left: AtomicUsize,
}

#[async_trait]
impl StoreLayer for Stopping {
    fn inner(&self) -> &dyn Store {
        &*self.store
    }

    fn submit(&self, commit: Commit) -> Result<Submitted> {
        let less = |left: usize| left.checked_sub(1);
        let left = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
        if left.is_err() {
            return Err(Error::new(ErrorKind::Transient, "commit", "stopped"));
        }
        self.store.submit(commit)
    }
}

async fn open(store: Arc<dyn Store>) -> Broker {
    Broker::open(store, Codecs::default(), Options::default())
        .await
        .unwrap()
}

/// Messages that fill several pieces, in slots of every width.
const MESSAGES: usize = 9_000;

async fn fill(broker: &Broker, start: Millis) {
    broker.ensure_topic("/", "t").await.unwrap();
    for n in 0..MESSAGES {
        let due = start.after(Duration::from_millis(n as u64 * 37 % 3_000));
        let mut message = Message::new(n.to_string());
        message.props.deliver_at = Some(due);
        let publish = Publish {
            namespace: "/",
            target: Target::Topic("t"),
            draft: NativeCodec::encode(&message),
            key: None,
            lane: LaneId(0),
            durability: Some(Durability::Disk),
            admission: Admission::none(),
        };
        broker
            .publish(publish)
            .unwrap()
            .confirm
            .wait()
            .await
            .unwrap();
    }
}

async fn delivered(broker: &Broker) -> Vec<usize> {
    let topic = broker.topic("/", "t").unwrap();
    let (at, mut from, mut found) = (PartitionId(0), Offset::ZERO, Vec::new());
    let limit = ReadLimit {
        bytes: 1 << 20,
        entries: 1000,
    };
    while from < topic.bounds(at).unwrap().stable {
        for entry in topic.read(at, from, limit).await.unwrap() {
            let message = broker.codecs().decode(&entry).unwrap().remove(0).1;
            let text = String::from_utf8(message.payload.unwrap().to_vec()).unwrap();
            found.push(text.parse().unwrap());
            from = entry.end_offset();
        }
    }
    found.sort_unstable();
    found
}

#[tokio::test]
async fn a_stop_at_any_commit_neither_loses_nor_repeats_a_delayed_message() {
    let start = Millis::now().after(Duration::from_hours(50));
    let later = start.after(Duration::from_hours(1));
    for commits in 1..30 {
        let store = Arc::new(MemoryStore::new());
        let broker = open(store.clone()).await;
        fill(&broker, start).await;
        drop(broker);
        // One commit is the broker's own, when it opens.
        let stopping = Arc::new(Layered(Stopping {
            store: store.clone(),
            left: commits.into(),
        }));
        let broker = open(stopping.clone()).await;
        // Through every width of slot, as far as the commits reach.
        for before in [3_600, 300, 60, 5, 0] {
            let now = Millis(start.0 - before * 1_000);
            broker.turn_wheels(now).await;
        }
        broker.turn_wheels(later).await;
        let finished = stopping.left.load(Ordering::SeqCst) > 0;
        drop(broker);
        let broker = open(store).await;
        broker.turn_wheels(later).await;
        let all: Vec<_> = (0..MESSAGES).collect();
        assert_eq!(delivered(&broker).await, all, "stopped after {commits}");
        if finished {
            return;
        }
    }
    panic!("the move takes more commits than were tried");
}
