//! Delayed and expiring messages, by a clock that the test sets.
#![allow(clippy::unwrap_used)]

use std::{sync::Arc, time::Duration};

use standpipe_core::{
    broker::{
        Admission, Broker, LaneId, Options, Publish, Published, QueueSpec, Subscription, Target,
    },
    codec::Codecs,
    driver::Settlement,
    id::{LogId, Millis, Offset, PartitionId},
    message::Message,
    native::NativeCodec,
    store::{Durability, MemoryStore, ReadLimit, Store},
};

const HOUR: Duration = Duration::from_hours(1);
const P0: PartitionId = PartitionId(0);

async fn open(store: &Arc<MemoryStore>) -> Broker {
    Broker::open(store.clone(), Codecs::default(), Options::default())
        .await
        .unwrap()
}

async fn declare(broker: &Broker, durable: bool) -> Arc<Subscription> {
    let queue = QueueSpec {
        durable,
        ..QueueSpec::new("/", "q")
    };
    broker.declare_queue(queue).await.unwrap().subscription
}

async fn publish(
    broker: &Broker,
    text: &str,
    deliver_at: Option<Millis>,
    expires_at: Option<Millis>,
) -> Published {
    let mut message = Message::new(text.to_owned());
    message.props.deliver_at = deliver_at;
    let mut draft = NativeCodec::encode(&message);
    draft.fields.expires_at = expires_at;
    let publish = Publish {
        namespace: "/",
        target: Target::Topic("q"),
        draft,
        key: None,
        lane: LaneId(0),
        durability: Some(Durability::Disk),
        admission: Admission::none(),
    };
    let mut published = broker.publish(publish).unwrap();
    let confirm = std::mem::replace(
        &mut published.confirm,
        standpipe_core::broker::Confirm::ready(),
    );
    confirm.wait().await.unwrap();
    published
}

/// Takes what is ready, and acks it.
async fn drain(broker: &Broker, queue: &Subscription) -> Vec<String> {
    let owner = broker.new_owner();
    let mut taken = Vec::new();
    while let Some(delivery) = queue.get(owner).await.unwrap() {
        let payload = delivery.message(broker.codecs()).unwrap().payload.unwrap();
        taken.push(String::from_utf8(payload.to_vec()).unwrap());
        let ack = vec![(delivery.receipt, Settlement::Ack)];
        queue.settle(ack).unwrap().wait().await.unwrap();
    }
    taken
}

/// Buckets that the store still knows.
async fn buckets(store: &MemoryStore) -> usize {
    store.scan("d/".into()).await.unwrap().len()
}

fn after(wait: Duration) -> Millis {
    Millis::now().after(wait)
}

#[tokio::test]
async fn a_delayed_message_has_no_offset_until_it_is_due() {
    let store = Arc::new(MemoryStore::new());
    let broker = open(&store).await;
    let queue = declare(&broker, true).await;
    let published = publish(&broker, "later", Some(after(HOUR)), None).await;
    assert_eq!((published.routed, published.place), (1, None));
    assert_eq!(
        publish(&broker, "now", None, None).await.place.unwrap().1,
        Offset(0)
    );
    assert_eq!(drain(&broker, &queue).await, ["now"]);
    broker.turn_wheels(after(HOUR / 2)).await;
    assert!(drain(&broker, &queue).await.is_empty());
    broker
        .turn_wheels(after(HOUR + Duration::from_secs(1)))
        .await;
    assert_eq!(drain(&broker, &queue).await, ["later"]);
    assert_eq!(buckets(&store).await, 0);
}

#[tokio::test]
async fn what_waits_outlives_the_broker_and_what_is_overdue_comes_at_once() {
    let store = Arc::new(MemoryStore::new());
    let broker = open(&store).await;
    declare(&broker, true).await;
    publish(&broker, "later", Some(after(HOUR)), None).await;
    drop(broker);
    let broker = open(&store).await;
    let queue = broker
        .topic("/", "q")
        .unwrap()
        .subscription("queue")
        .unwrap();
    broker.turn_wheels(after(HOUR * 1000)).await;
    assert_eq!(drain(&broker, &queue).await, ["later"]);
    broker.turn_wheels(after(HOUR * 2000)).await;
    assert!(drain(&broker, &queue).await.is_empty(), "once");
}

#[tokio::test]
async fn thousands_come_in_the_order_of_their_times() {
    for durable in [true, false] {
        let store = Arc::new(MemoryStore::new());
        let broker = open(&store).await;
        let queue = declare(&broker, durable).await;
        let start = after(HOUR * 30);
        for n in 0..3000_u64 {
            let shuffled = n * 1777 % 3000;
            let due = start.after(Duration::from_millis(shuffled));
            publish(&broker, &shuffled.to_string(), Some(due), None).await;
        }
        broker.turn_wheels(start.after(HOUR)).await;
        let taken = drain(&broker, &queue).await;
        assert_eq!(taken.len(), 3000);
        assert!(
            taken
                .iter()
                .enumerate()
                .all(|(n, text)| *text == n.to_string())
        );
    }
}

#[tokio::test]
async fn deleting_a_topic_takes_what_waits_with_it() {
    let store = Arc::new(MemoryStore::new());
    let broker = open(&store).await;
    declare(&broker, true).await;
    publish(&broker, "later", Some(after(HOUR)), None).await;
    let topic = broker.topic("/", "q").unwrap().id();
    broker.delete_topic("/", "q").await.unwrap();
    assert_eq!(buckets(&store).await, 0);
    let partition = PartitionId(1 << 31);
    let bounds = store.bounds(LogId { topic, partition }).await.unwrap();
    assert_eq!(bounds.end, Offset::ZERO);
    let queue = declare(&broker, true).await;
    broker.turn_wheels(after(HOUR * 2)).await;
    assert!(drain(&broker, &queue).await.is_empty());
}

#[tokio::test]
async fn what_expired_is_settled_without_a_consumer_and_stays_in_the_log() {
    let store = Arc::new(MemoryStore::new());
    let broker = open(&store).await;
    let queue = declare(&broker, true).await;
    publish(&broker, "stays", None, None).await;
    publish(&broker, "goes", None, Some(after(HOUR))).await;
    broker.turn_wheels(after(HOUR / 2)).await;
    assert_eq!(queue.counts().ready, 2);
    broker
        .turn_wheels(after(HOUR + Duration::from_secs(1)))
        .await;
    assert_eq!((queue.counts().ready, queue.expired()), (1, 1));
    let topic = broker.topic("/", "q").unwrap();
    let limit = ReadLimit {
        bytes: 1 << 20,
        entries: 9,
    };
    assert_eq!(topic.read(P0, Offset(0), limit).await.unwrap().len(), 2);
    assert_eq!(drain(&broker, &queue).await, ["stays"]);
    assert_eq!(buckets(&store).await, 0);
}

#[tokio::test]
async fn what_is_on_lease_when_it_expires_is_not_taken_away() {
    let store = Arc::new(MemoryStore::new());
    let broker = open(&store).await;
    let queue = declare(&broker, true).await;
    publish(&broker, "held", None, Some(after(HOUR))).await;
    let delivery = queue.get(broker.new_owner()).await.unwrap().unwrap();
    broker.turn_wheels(after(HOUR * 2)).await;
    assert_eq!((queue.counts().leased, queue.expired()), (1, 0));
    let ack = vec![(delivery.receipt, Settlement::Ack)];
    let (held, confirm) = queue.settle_each(ack).unwrap();
    confirm.wait().await.unwrap();
    assert_eq!(held, [true]);
}

#[tokio::test]
async fn what_has_expired_is_never_handed_over() {
    let store = Arc::new(MemoryStore::new());
    let broker = open(&store).await;
    let queue = declare(&broker, true).await;
    publish(&broker, "past", None, Some(Millis(1))).await;
    publish(&broker, "present", None, None).await;
    assert_eq!(drain(&broker, &queue).await, ["present"]);
    assert_eq!(queue.expired(), 1);
}

#[tokio::test]
async fn a_delayed_message_expires_after_it_was_due() {
    let store = Arc::new(MemoryStore::new());
    let broker = open(&store).await;
    let queue = declare(&broker, true).await;
    publish(&broker, "x", Some(after(HOUR)), Some(after(HOUR * 2))).await;
    broker
        .turn_wheels(after(HOUR + Duration::from_secs(1)))
        .await;
    assert_eq!(queue.counts().ready, 1);
    broker.turn_wheels(after(HOUR * 3)).await;
    assert_eq!((queue.counts().ready, queue.expired()), (0, 1));
}

#[tokio::test]
async fn in_memory_what_expires_is_settled_and_what_was_consumed_before_costs_nothing() {
    let mut options = Options::default();
    options.limits.memory_bytes = 100_000;
    let store = Arc::new(MemoryStore::new());
    let opened = Broker::open(store.clone(), Codecs::default(), options);
    let broker = opened.await.unwrap();
    let queue = declare(&broker, false).await;
    for _ in 0..5_000 {
        publish(&broker, "reply", None, Some(after(HOUR))).await;
        assert_eq!(drain(&broker, &queue).await, ["reply"]);
    }
    publish(&broker, "late", None, Some(after(HOUR))).await;
    publish(&broker, "delayed", Some(after(HOUR)), Some(after(HOUR * 3))).await;
    publish(&broker, "stays", None, None).await;
    broker.turn_wheels(after(HOUR / 2)).await;
    assert_eq!((queue.counts().ready, queue.expired()), (2, 0));
    broker.turn_wheels(after(HOUR * 2)).await;
    assert_eq!((queue.counts().ready, queue.expired()), (2, 1));
    broker.turn_wheels(after(HOUR * 4)).await;
    assert_eq!((queue.counts().ready, queue.expired()), (1, 2));
    assert_eq!(drain(&broker, &queue).await, ["stays"]);
}
