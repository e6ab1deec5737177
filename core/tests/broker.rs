//! The broker from outside: what its adapters rely on.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use standpipe_core::{
    broker::{
        Admission, Append, AppendError, Attach, Attachment, Broker, Credit, Delivery, GroupOffset,
        LaneId, Options, Publish, QueueSpec, Retention, Subscription, Target, TopicSpec,
    },
    codec::Codecs,
    driver::Settlement,
    entry::{Draft, Format, ProducerStamp},
    error::ErrorKind,
    id::{Offset, PartitionId},
    message::{Headers, Message},
    native::NativeCodec,
    router::{Binding, Destination, ExchangeKind, ExchangeSpec},
    store::{Durability, MemoryStore, ReadLimit},
};

const P0: PartitionId = PartitionId(0);

async fn open(store: &Arc<MemoryStore>) -> Broker {
    Broker::open(store.clone(), Codecs::default(), Options::default())
        .await
        .unwrap()
}

async fn broker() -> Broker {
    open(&Arc::new(MemoryStore::new())).await
}

fn queue(name: &str) -> QueueSpec {
    QueueSpec::new("/", name)
}

async fn declare(broker: &Broker, name: &str) -> Arc<Subscription> {
    broker
        .declare_queue(queue(name))
        .await
        .unwrap()
        .subscription
}

async fn publish(broker: &Broker, target: Target<'_>, payload: &str) -> usize {
    let published = broker
        .publish(Publish {
            namespace: "/",
            target,
            draft: NativeCodec::encode(&Message::new(payload.to_owned())),
            key: None,
            lane: LaneId(0),
            durability: Some(Durability::Disk),
            admission: Admission::none(),
        })
        .unwrap();
    published.confirm.wait().await.unwrap();
    published.routed
}

fn attach(broker: &Broker, queue: &Arc<Subscription>, window: u64) -> Attachment {
    let attach = Attach {
        owner: broker.new_owner(),
        credit: Credit::window(window),
        exclusive: false,
        lease: None,
    };
    broker.attach(queue, attach).unwrap()
}

fn text(broker: &Broker, delivery: &Delivery) -> String {
    let message = delivery.message(broker.codecs()).unwrap();
    String::from_utf8(message.payload.unwrap().to_vec()).unwrap()
}

async fn take(broker: &Broker, consumer: &mut Attachment, count: usize) -> Vec<(Delivery, String)> {
    let mut taken = Vec::new();
    while taken.len() < count {
        for delivery in consumer.recv(count - taken.len()).await.unwrap() {
            let text = text(broker, &delivery);
            taken.push((delivery, text));
        }
    }
    taken
}

#[tokio::test]
async fn what_is_published_is_delivered_in_order_and_acked_once() {
    let broker = broker().await;
    let queue = declare(&broker, "q").await;
    for n in 0..100 {
        publish(&broker, Target::Topic("q"), &n.to_string()).await;
    }
    let mut consumer = attach(&broker, &queue, 0);
    let taken = take(&broker, &mut consumer, 100).await;
    assert!(
        taken
            .iter()
            .enumerate()
            .all(|(n, (_, text))| *text == n.to_string())
    );
    let acks = taken
        .iter()
        .map(|(d, _)| (d.receipt, Settlement::Ack))
        .collect();
    queue.settle(acks).unwrap().wait().await.unwrap();
    let counts = queue.counts();
    assert_eq!((counts.ready, counts.leased), (0, 0));
}

#[tokio::test]
async fn a_window_holds_back_until_something_is_settled() {
    let broker = broker().await;
    let queue = declare(&broker, "q").await;
    for n in 0..5 {
        publish(&broker, Target::Topic("q"), &n.to_string()).await;
    }
    let mut consumer = attach(&broker, &queue, 2);
    let first = take(&broker, &mut consumer, 2).await;
    assert_eq!(queue.counts().ready, 3);
    queue
        .settle(vec![(first[1].0.receipt, Settlement::Ack)])
        .unwrap()
        .await
        .unwrap();
    let next = take(&broker, &mut consumer, 1).await;
    assert_eq!(next[0].1, "2");
}

#[tokio::test]
async fn what_a_dropped_consumer_did_not_receive_is_not_redelivered_and_what_its_owner_held_is() {
    let broker = broker().await;
    let queue = declare(&broker, "q").await;
    for n in 0..3 {
        publish(&broker, Target::Topic("q"), &n.to_string()).await;
    }
    let owner = broker.new_owner();
    let credit = Credit::window(3);
    let attach_again = || {
        let attach = Attach {
            owner,
            credit: credit.clone(),
            exclusive: false,
            lease: None,
        };
        broker.attach(&queue, attach).unwrap()
    };
    let mut consumer = attach_again();
    let one = consumer.recv(1).await.unwrap();
    assert_eq!(one.len(), 1);
    drop(consumer);
    queue.release_owner(owner);
    let mut consumer = attach_again();
    let all = take(&broker, &mut consumer, 3).await;
    let flags: Vec<_> = all
        .iter()
        .map(|(d, text)| (text.as_str(), d.redelivered, d.attempts))
        .collect();
    assert_eq!(flags, [("0", true, 1), ("1", false, 0), ("2", false, 0)]);
}

#[tokio::test]
async fn a_batch_of_many_is_delivered_message_by_message() {
    let broker = broker().await;
    let queue = declare(&broker, "q").await;
    let topic = queue.topic().unwrap();
    let messages: Vec<_> = (0..10).map(|n| Message::new(n.to_string())).collect();
    let appended = broker
        .append(Append {
            topic: &topic,
            partition: P0,
            draft: NativeCodec::encode_batch(&messages),
            pieces: Vec::new(),
            durability: Durability::Disk,
            admission: Admission::none(),
        })
        .unwrap();
    appended.confirm.wait().await.unwrap();
    let mut consumer = attach(&broker, &queue, 3);
    let taken = take(&broker, &mut consumer, 3).await;
    assert_eq!(taken[2].1, "2");
    assert_eq!(queue.counts().ready, 7);
}

#[tokio::test]
async fn a_fanout_reaches_every_queue_and_an_unroutable_message_none() {
    let broker = broker().await;
    broker
        .declare_exchange("/", ExchangeSpec::new("x", ExchangeKind::Fanout))
        .await
        .unwrap();
    for name in ["a", "b", "c"] {
        declare(&broker, name).await;
        let to = Destination::Topic(name.into());
        broker.bind("/", Binding::new("x", to, "")).await.unwrap();
    }
    let headers = Headers::default();
    let exchange = |exchange| Target::Exchange {
        exchange,
        key: b"k",
        more_keys: &[],
        headers: &headers,
    };
    assert_eq!(publish(&broker, exchange("x"), "m").await, 3);
    assert_eq!(publish(&broker, exchange("amq.direct"), "m").await, 0);
    assert_eq!(publish(&broker, exchange(""), "m").await, 0);
    for name in ["a", "b", "c"] {
        assert_eq!(broker.queue("/", name, None).unwrap().counts().ready, 1);
    }
}

#[tokio::test]
async fn a_restart_keeps_queues_bindings_messages_and_acks() {
    let store = Arc::new(MemoryStore::new());
    let first = open(&store).await;
    first
        .declare_exchange("/", ExchangeSpec::new("x", ExchangeKind::Topic))
        .await
        .unwrap();
    let queue = declare(&first, "q").await;
    let to = Destination::Topic("q".into());
    first.bind("/", Binding::new("x", to, "a.#")).await.unwrap();
    let headers = Headers::default();
    let target = Target::Exchange {
        exchange: "x",
        key: b"a.b",
        more_keys: &[],
        headers: &headers,
    };
    for n in 0..4 {
        publish(&first, target, &n.to_string()).await;
    }
    let mut consumer = attach(&first, &queue, 0);
    let taken = take(&first, &mut consumer, 2).await;
    queue
        .settle(vec![(taken[1].0.receipt, Settlement::Ack)])
        .unwrap()
        .await
        .unwrap();
    drop((consumer, first));

    let second = open(&store).await;
    assert_eq!(publish(&second, target, "4").await, 1);
    let queue = second.queue("/", "q", None).unwrap();
    let mut consumer = attach(&second, &queue, 0);
    let taken = take(&second, &mut consumer, 4).await;
    let texts: Vec<_> = taken
        .iter()
        .map(|(d, text)| (text.as_str(), d.redelivered))
        .collect();
    assert_eq!(texts[0], ("0", true));
    assert_eq!(
        texts.iter().map(|(t, _)| *t).collect::<Vec<_>>(),
        ["0", "2", "3", "4"]
    );
    assert!(!texts[3].1, "published after the restart");
}

#[tokio::test]
async fn settled_retention_waits_for_the_queue_and_the_group() {
    let broker = broker().await;
    let queue = declare(&broker, "q").await;
    let topic = queue.topic().unwrap();
    for n in 0..3 {
        publish(&broker, Target::Topic("q"), &n.to_string()).await;
    }
    let commit = |offset| GroupOffset {
        topic: "q".into(),
        partition: P0,
        offset: Offset(offset),
        leader_epoch: -1,
        metadata: bytes::Bytes::from_static(b"note"),
    };
    broker
        .group_commit("/", "g", &[commit(0)])
        .await
        .unwrap()
        .await
        .unwrap();
    let mut consumer = attach(&broker, &queue, 0);
    let taken = take(&broker, &mut consumer, 3).await;
    let acks = taken
        .iter()
        .map(|(d, _)| (d.receipt, Settlement::Ack))
        .collect();
    queue.settle(acks).unwrap().await.unwrap();
    assert_eq!(topic.bounds(P0).unwrap().start, Offset(0));
    broker
        .group_commit("/", "g", &[commit(2)])
        .await
        .unwrap()
        .await
        .unwrap();
    assert_eq!(topic.bounds(P0).unwrap().start, Offset(2));
    let stored = broker.group_offsets("/", "g");
    assert_eq!(stored[0].offset, commit(2));
}

#[tokio::test]
async fn an_acked_queue_is_replayed_from_the_start_where_retention_keeps_it() {
    let broker = broker().await;
    broker
        .create_topic(TopicSpec {
            retention: Retention::Forever,
            ..TopicSpec::new("/", "t")
        })
        .await
        .unwrap();
    let queue = declare(&broker, "t").await;
    publish(&broker, Target::Topic("t"), "m").await;
    let got = queue.get(broker.new_owner()).await.unwrap().unwrap();
    queue
        .settle(vec![(got.receipt, Settlement::Ack)])
        .unwrap()
        .await
        .unwrap();
    assert!(queue.get(broker.new_owner()).await.unwrap().is_none());
    let topic = broker.topic("/", "t").unwrap();
    let limit = ReadLimit {
        bytes: 1000,
        entries: 10,
    };
    assert_eq!(topic.read(P0, Offset(0), limit).await.unwrap().len(), 1);
    broker.delete_queue("/", "t", false, false).await.unwrap();
    assert_eq!(
        topic.read(P0, Offset(0), limit).await.unwrap().len(),
        1,
        "the topic was there before"
    );
}

#[tokio::test]
async fn an_idempotent_batch_is_stored_once_over_a_restart() {
    let store = Arc::new(MemoryStore::new());
    let batch = |sequence| {
        let mut draft = Draft::batch(Format::NATIVE, bytes::Bytes::from_static(b"xx"), 5);
        draft.producer = Some(ProducerStamp {
            id: 9,
            epoch: 0,
            sequence,
        });
        draft
    };
    for _ in 0..2 {
        let broker = open(&store).await;
        let topic = broker.ensure_topic("/", "t").await.unwrap();
        let append = |sequence| {
            broker.append(Append {
                topic: &topic,
                partition: P0,
                draft: batch(sequence),
                pieces: Vec::new(),
                durability: Durability::Disk,
                admission: Admission::none(),
            })
        };
        let first = append(0).unwrap();
        assert_eq!(first.base_offset, Offset(0));
        first.confirm.wait().await.unwrap();
        assert!(matches!(append(15), Err(AppendError::SequenceGap)));
        assert_eq!(append(5).unwrap().base_offset, Offset(5));
        assert_eq!(topic.bounds(P0).unwrap().end, Offset(10));
    }
}

#[tokio::test]
async fn a_queue_declared_otherwise_is_refused_and_an_exclusive_one_goes_with_its_owner() {
    let broker = broker().await;
    declare(&broker, "q").await;
    let other = QueueSpec {
        auto_delete: true,
        ..queue("q")
    };
    let error = broker.declare_queue(other).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exists);
    assert!(
        error
            .message()
            .starts_with("inequivalent arg 'auto_delete' for queue 'q'"),
        "{error}"
    );
    let owner = broker.new_owner();
    let mine = QueueSpec {
        exclusive: Some(owner),
        ..queue("mine")
    };
    broker.declare_queue(mine).await.unwrap();
    assert_eq!(
        broker.queue("/", "mine", None).unwrap_err().kind(),
        ErrorKind::Denied
    );
    broker.owner_gone(owner).await;
    assert!(broker.topic("/", "mine").is_none());
}

#[tokio::test]
async fn what_a_consumer_can_take_is_not_got_by_another() {
    let broker = broker().await;
    let queue = declare(&broker, "q").await;
    let mut consumer = attach(&broker, &queue, 1);
    for payload in ["theirs", "mine"] {
        publish(&broker, Target::Topic("q"), payload).await;
    }
    let got = queue.get(broker.new_owner()).await.unwrap().unwrap();
    assert_eq!(text(&broker, &got), "mine");
    assert_eq!(take(&broker, &mut consumer, 1).await[0].1, "theirs");
    let released = queue.settle(vec![(got.receipt, Settlement::RELEASE)]);
    released.unwrap().wait().await.unwrap();
    consumer.cancel().await;
    assert_eq!(queue.counts().ready, 1);
}

#[tokio::test]
async fn an_auto_delete_queue_goes_with_its_last_consumer() {
    let broker = broker().await;
    let spec = QueueSpec {
        auto_delete: true,
        durable: false,
        ..queue("q")
    };
    let queue = broker.declare_queue(spec).await.unwrap().subscription;
    let (one, two) = (attach(&broker, &queue, 1), attach(&broker, &queue, 1));
    one.cancel().await;
    assert!(broker.topic("/", "q").is_some());
    two.cancel().await;
    assert!(broker.topic("/", "q").is_none());
}

#[tokio::test]
async fn a_deleted_topic_ends_its_consumers_and_a_new_one_inherits_nothing() {
    let broker = broker().await;
    let queue = declare(&broker, "q").await;
    let mut consumer = attach(&broker, &queue, 1);
    broker.delete_topic("/", "q").await.unwrap();
    assert!(consumer.recv(1).await.is_none());
    let again = declare(&broker, "q").await;
    assert_eq!(again.counts().ready, 0);
    assert!(queue.topic().is_ok_and(|topic| topic.is_gone()) || queue.topic().is_err());
}

#[tokio::test]
async fn fifty_partitions_are_one_queue() {
    let broker = broker().await;
    broker
        .create_topic(TopicSpec {
            partitions: 50,
            ..TopicSpec::new("/", "t")
        })
        .await
        .unwrap();
    for n in 0..200u64 {
        let published = broker.publish(Publish {
            namespace: "/",
            target: Target::Topic("t"),
            draft: NativeCodec::encode(&Message::new(n.to_string())),
            key: None,
            lane: LaneId(n),
            durability: None,
            admission: Admission::none(),
        });
        published.unwrap().confirm.wait().await.unwrap();
    }
    let queue = declare(&broker, "t").await;
    let mut consumer = attach(&broker, &queue, 0);
    let mut all: Vec<u64> = take(&broker, &mut consumer, 200)
        .await
        .iter()
        .map(|(_, t)| t.parse().unwrap())
        .collect();
    all.sort_unstable();
    assert_eq!(all, (0..200).collect::<Vec<_>>());
}

#[tokio::test]
async fn no_group_takes_the_name_of_the_queue() {
    let broker = broker().await;
    broker.ensure_topic("/", "t").await.unwrap();
    let offset = GroupOffset {
        topic: "t".into(),
        partition: P0,
        offset: Offset(0),
        leader_epoch: -1,
        metadata: bytes::Bytes::new(),
    };
    let refused = broker.group_commit("/", "queue", &[offset]).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Conflict);
    declare(&broker, "t").await;
}
