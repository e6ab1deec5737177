//! What a confirm waits for: the publish's own word, else the topic's.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures::FutureExt as _;

use super::*;
use crate::{
    error::Result,
    store::{CommitSeq, Layered, Store, StoreLayer},
};

/// A disk that stops: from then on nothing becomes durable.
#[derive(Default)]
struct Stopping {
    memory: MemoryStore,
    has_stopped: AtomicBool,
}

#[async_trait]
impl StoreLayer for Stopping {
    fn inner(&self) -> &dyn Store {
        &self.memory
    }

    async fn durable(&self, _seq: CommitSeq, _level: Durability) -> Result<()> {
        if self.has_stopped.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_confirm_waits_for_the_publishs_own_word_and_else_for_the_topics() {
    let store = Arc::new(Layered::<Stopping>::default());
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
