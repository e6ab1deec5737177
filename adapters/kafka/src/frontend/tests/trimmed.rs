//! What is asked of a log of which retention takes the beginning meanwhile.

use std::sync::atomic::{AtomicU64, Ordering};

use standpipe_core::{
    Result,
    entry::Entry,
    id::LogId,
    store::{Commit, Durability, Epoch, Layered, Op, ReadLimit, StoreLayer},
};

use super::*;

/// A store that trims a log when it is read: below an offset, once.
#[derive(Default)]
struct Trimming {
    inner: MemoryStore,
    below: AtomicU64,
}

#[async_trait::async_trait]
impl StoreLayer for Trimming {
    fn inner(&self) -> &dyn Store {
        &self.inner
    }

    async fn read(&self, log: LogId, from: Offset, limit: ReadLimit) -> Result<Vec<Entry>> {
        let below = Offset(self.below.swap(0, Ordering::SeqCst));
        if below > Offset::ZERO {
            self.inner.submit(Commit {
                ops: vec![Op::Trim { log, below }],
                durability: Durability::Memory,
                epoch: Epoch(1),
            })?;
        }
        self.inner.read(log, from, limit).await
    }
}

#[tokio::test]
async fn the_earliest_offset_is_where_it_begins_by_now() {
    let store = Arc::new(Layered(Trimming::default()));
    let broker = opened(store.clone(), Options::default()).await;
    broker.ensure_topic(NAMESPACE, "t").await.unwrap();
    for _ in 0..10 {
        let published = broker.publish(Publish {
            namespace: NAMESPACE,
            target: Target::Topic("t"),
            draft: NativeCodec::encode(&Message::new("x")),
            key: None,
            lane: LaneId(0),
            durability: None,
            admission: broker.admit(1).await.unwrap(),
        });
        published.unwrap().confirm.wait().await.unwrap();
    }
    let client = connected(broker).await;
    store.below.store(7, Ordering::SeqCst);
    let told = crate::frontend::list_offsets::answer(&client, latest::at(-2), 9).await;
    let told = &told.topics[0].partitions[0];
    assert_eq!((told.error_code, told.offset), (0, 7));
}
