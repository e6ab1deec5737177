//! What a confirm waits for: the publish's own word, else the topic's.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt as _;

use super::*;
use crate::{
    entry::Entry,
    error::Result,
    id::{CursorId, LogId, Millis},
    store::{CommitSeq, Keep, LogBounds, ReadLimit, Store, Submitted},
};

/// A store whose disk stops: from then on nothing becomes durable.
#[derive(Default)]
struct Stopping {
    memory: MemoryStore,
    has_stopped: AtomicBool,
}

#[async_trait]
impl Store for Stopping {
    fn submit(&self, commit: Commit) -> Result<Submitted> {
        self.memory.submit(commit)
    }

    async fn durable(&self, _seq: CommitSeq, _level: Durability) -> Result<()> {
        if self.has_stopped.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    async fn read(&self, log: LogId, from: Offset, limit: ReadLimit) -> Result<Vec<Entry>> {
        self.memory.read(log, from, limit).await
    }

    async fn bounds(&self, log: LogId) -> Result<LogBounds> {
        self.memory.bounds(log).await
    }

    async fn trim_point(&self, log: LogId, keep: Keep) -> Result<Offset> {
        self.memory.trim_point(log, keep).await
    }

    async fn entry_for_time(&self, log: LogId, at: Millis) -> Result<Option<Entry>> {
        self.memory.entry_for_time(log, at).await
    }

    async fn get(&self, key: Bytes) -> Result<Option<Bytes>> {
        self.memory.get(key).await
    }

    async fn scan(&self, prefix: Bytes) -> Result<Vec<(Bytes, Bytes)>> {
        self.memory.scan(prefix).await
    }

    async fn cursor(&self, cursor: CursorId) -> Result<Vec<Bytes>> {
        self.memory.cursor(cursor).await
    }

    async fn close(&self) -> Result<()> {
        self.memory.close().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_confirm_waits_for_the_publishs_own_word_and_else_for_the_topics() {
    let store = Arc::new(Stopping::default());
    let opened = Broker::open(store.clone(), Codecs::default(), Options::default());
    let broker = opened.await.unwrap();
    let levels = [
        ("memory", Durability::Memory),
        ("os", Durability::Os),
        ("disk", Durability::Disk),
    ];
    for (name, durability) in levels {
        let mut spec = TopicSpec::new("/", name);
        spec.durability = durability;
        broker.create_topic(spec).await.unwrap();
    }
    store.has_stopped.store(true, Ordering::Relaxed);
    for (topic, word, is_confirmed) in [
        ("memory", None, true),
        ("memory", Some(Durability::Disk), false),
        ("os", None, false),
        ("disk", None, false),
        ("disk", Some(Durability::Memory), true),
    ] {
        let published = broker.publish(Publish {
            namespace: "/",
            target: Target::Topic(topic),
            draft: NativeCodec::encode(&Message::new("x")),
            key: None,
            lane: LaneId(0),
            durability: word,
            admission: Admission::none(),
        });
        let confirm = published.unwrap().confirm.wait().boxed();
        let waited = tokio::time::timeout(Options::default().housekeeping, confirm);
        assert_eq!(waited.await.is_ok(), is_confirmed, "{word:?} on `{topic}`");
    }
}
