//! The broker from inside: what no adapter can bring about at will.

mod altered;
mod compact;
mod deleted;
mod due;
mod durability;
mod exclusive;
mod grown;
mod holes;
mod limits;
mod moody;
mod owed;
mod refused;
mod retention;
mod settled;
mod trim;
mod unheld;
mod unpersisted;
mod unused;
mod waking;

use std::sync::Arc;

use super::{
    Admission, Broker, Confirm, Content, Delivery, LaneId, Mode, Options, Publish, Retention,
    Subscription, Target, Topic, TopicSpec,
};
use crate::{
    codec::Codecs,
    driver::StartAt,
    id::{Offset, PartitionId},
    message::Message,
    native::NativeCodec,
    store::{Commit, Durability, MemoryStore, Op},
};

const P0: PartitionId = PartitionId(0);

async fn open(store: &Arc<MemoryStore>) -> Broker {
    let store = store.clone();
    let opened = Broker::open(store, Codecs::default(), Options::default());
    opened.await.unwrap()
}

async fn topic(broker: &Broker, retention: Retention) -> Arc<Topic> {
    let mut spec = TopicSpec::new("/", "t");
    spec.retention = retention;
    broker.create_topic(spec).await.unwrap()
}

async fn publish(broker: &Broker, count: u64) {
    publish_at(broker, count, Durability::Disk).await;
}

async fn publish_at(broker: &Broker, count: u64, durability: Durability) {
    for n in 0..count {
        submit(broker, n, durability).await.unwrap();
    }
}

fn submit(broker: &Broker, number: u64, durability: Durability) -> Confirm {
    let published = broker.publish(Publish {
        namespace: "/",
        target: Target::Topic("t"),
        draft: NativeCodec::encode(&Message::new(number.to_string())),
        key: None,
        lane: LaneId(0),
        durability: Some(durability),
        admission: Admission::none(),
    });
    published.unwrap().confirm
}

async fn lease(broker: &Broker, topic: &Arc<Topic>, name: &str) -> Arc<Subscription> {
    let made = broker.ensure_subscription(topic, name, Mode::Lease, StartAt::Earliest);
    made.await.unwrap()
}

/// Forgets behind the broker's back, as its janitor does.
fn forget(broker: &Broker, topic: &Topic, range: std::ops::Range<u64>) {
    let log = topic.partition(P0).unwrap().log;
    let range = Offset(range.start)..Offset(range.end);
    let commit = Commit {
        ops: vec![Op::Forget { log, range }],
        durability: Durability::Os,
        epoch: broker.inner.epoch,
    };
    topic.store.submit(commit).unwrap();
}

fn offsets(deliveries: &[Delivery]) -> Vec<u64> {
    let offsets = deliveries.iter().map(|delivery| delivery.receipt.offset.0);
    offsets.collect()
}
