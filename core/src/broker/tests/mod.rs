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
mod outbox;
mod owed;
mod refused;
mod retention;
mod settled;
mod trim;
mod unheld;
mod unpersisted;
mod unread;
mod unused;
mod waking;

use std::sync::Arc;

use super::{
    Admission, Append, AppendError, Appended, Broker, Confirm, Content, Delivery, GroupOffset,
    LaneId, Mode, Options, Publish, Published, Retention, Subscription, Target, Topic, TopicSpec,
};
use crate::{
    codec::Codecs,
    driver::StartAt,
    entry::{Draft, Format, ProducerStamp},
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
    let message = Message::new(number.to_string());
    send(broker, Target::Topic("t"), &message, Some(durability)).confirm
}

/// A message for one partition of the topic `t`.
async fn publish_in(broker: &Broker, lane: u64) {
    let published = broker.publish(Publish {
        namespace: "/",
        target: Target::Topic("t"),
        draft: NativeCodec::encode(&Message::new("m")),
        key: None,
        lane: LaneId(lane),
        durability: None,
        admission: Admission::none(),
    });
    let published = published.unwrap();
    let at = published.place.unwrap().0;
    assert_eq!(u64::from(at.0), lane);
    published.confirm.await.unwrap();
}

fn send(
    broker: &Broker,
    target: Target<'_>,
    message: &Message,
    durability: Option<Durability>,
) -> Published {
    let published = broker.publish(Publish {
        namespace: "/",
        target,
        draft: NativeCodec::encode(message),
        key: None,
        lane: LaneId(0),
        durability,
        admission: Admission::none(),
    });
    published.unwrap()
}

async fn lease(broker: &Broker, topic: &Arc<Topic>, name: &str) -> Arc<Subscription> {
    let made = broker.ensure_subscription(topic, name, Mode::Lease, StartAt::Earliest);
    made.await.unwrap()
}

/// A batch of five from an idempotent producer.
fn append(broker: &Broker, topic: &Arc<Topic>, sequence: i32) -> Result<Appended, AppendError> {
    let mut draft = Draft::batch(Format::NATIVE, bytes::Bytes::from_static(b"xx"), 5);
    draft.producer = Some(ProducerStamp {
        id: 9,
        epoch: 0,
        sequence,
    });
    broker.append(Append {
        topic,
        partition: P0,
        draft,
        pieces: Vec::new(),
        durability: Durability::Disk,
        admission: Admission::none(),
    })
}

/// What a group commits on the topic `t`.
async fn commit(broker: &Broker, group: &str, offset: u64) -> crate::error::Result<Confirm> {
    let offset = GroupOffset {
        topic: "t".into(),
        partition: P0,
        offset: Offset(offset),
        leader_epoch: -1,
        metadata: "a note".into(),
    };
    broker.group_commit("/", group, &[offset]).await
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
