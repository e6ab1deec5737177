//! The client against our own frontend, or against the broker that `STANDPIPE_TEST_KAFKA` names,
//! such as `127.0.0.1:9092`.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
};
use standpipe_core::{
    ErrorKind,
    address::Address,
    broker::{Broker, Options},
    codec::Codecs,
    driver::{
        Consumer, Driver, Incoming, Lane, OpenOptions, Producer, ReceiptToken, ReceiveLimit,
        Settlement, Settler,
    },
    frontend::Frontend,
    id::Millis,
    message::{Message, Value},
    store::MemoryStore,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::KafkaDriver;
use crate::KafkaFrontend;

/// A broker with one topic of this test's own.
struct Bench {
    hosts: String,
    topic: String,
    _serving: Option<DropGuard>,
}

impl Bench {
    async fn new(name: &str, partitions: i32, settings: &[(&str, &str)]) -> Self {
        let (hosts, serving) = match std::env::var("STANDPIPE_TEST_KAFKA") {
            Ok(hosts) => (hosts, None),
            Err(_) => {
                let (hosts, serving) = serve().await;
                (hosts, Some(serving))
            }
        };
        let topic = format!("{name}-{}", uuid::Uuid::new_v4());
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &hosts);
        let admin: AdminClient<DefaultClientContext> = config.create().unwrap();
        let mut new = NewTopic::new(&topic, partitions, TopicReplication::Fixed(1));
        // Ours has one limit for all topics, and takes no other.
        for (name, value) in settings.iter().filter(|_| serving.is_none()) {
            new = new.set(name, value);
        }
        let created = admin
            .create_topics([&new], &AdminOptions::new())
            .await
            .unwrap();
        assert!(created.iter().all(Result::is_ok), "{created:?}");
        Self {
            hosts,
            topic,
            _serving: serving,
        }
    }

    fn address(&self, query: &str) -> Address {
        format!("kafka://{}/{}{query}", self.hosts, self.topic)
            .parse()
            .unwrap()
    }

    async fn producer(&self) -> Box<dyn Producer> {
        KafkaDriver.producer(&self.address("")).await.unwrap()
    }

    async fn send(&self, messages: Vec<Message>) {
        let mut producer = self.producer().await;
        let results = producer.send(messages).await;
        assert!(results.iter().all(Result::is_ok), "{results:?}");
        producer.close().await.unwrap();
    }

    async fn consumer(
        &self,
        query: &str,
        options: &OpenOptions,
    ) -> (Box<dyn Consumer>, Box<dyn Settler>) {
        KafkaDriver
            .consumer(&self.address(query), options)
            .await
            .unwrap()
    }

    /// Everything that a drain gives, settled or not.
    async fn drained(&self, query: &str, settle: bool) -> Vec<Incoming> {
        let (mut consumer, settler) = self.consumer(query, &OpenOptions::drain()).await;
        let mut all = Vec::new();
        while let Some(batch) = consumer.receive(ReceiveLimit::messages(100)).await.unwrap() {
            if settle {
                settler.settle(acks(&batch)).await.unwrap();
            }
            all.extend(batch);
        }
        assert!(consumer.receive(ReceiveLimit::ONE).await.unwrap().is_none());
        consumer.close().await.unwrap();
        all
    }
}

async fn serve() -> (String, DropGuard) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hosts = listener.local_addr().unwrap().to_string();
    let mut codecs = Codecs::default();
    crate::codec::register(&mut codecs);
    let store = Arc::new(MemoryStore::new());
    let broker = Broker::open(store, codecs, Options::default())
        .await
        .unwrap();
    let shutdown = CancellationToken::new();
    tokio::spawn(Arc::new(KafkaFrontend::default()).serve(listener, broker, shutdown.clone()));
    (hosts, shutdown.drop_guard())
}

fn numbered(range: std::ops::Range<u32>) -> Vec<Message> {
    range
        .map(|n| Message::new(n.to_string()).with_key(format!("k{n}")))
        .collect()
}

fn payloads(batch: &[Incoming]) -> Vec<String> {
    let payload = |one: &Incoming| one.message.payload.clone().unwrap_or_default();
    batch
        .iter()
        .map(|one| String::from_utf8_lossy(&payload(one)).into_owned())
        .collect()
}

fn acks(batch: &[Incoming]) -> Vec<(ReceiptToken, Settlement)> {
    batch
        .iter()
        .map(|one| (one.receipt, Settlement::Ack))
        .collect()
}

fn texts(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_is_confirmed_and_drained_in_order() {
    let bench = Bench::new("order", 1, &[]).await;
    bench.send(numbered(0..2000)).await;
    let all = bench.drained("", true).await;
    assert_eq!(payloads(&all), texts(0..2000));
    assert_eq!(
        payloads(&bench.drained("", true).await).len(),
        2000,
        "it remembers nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_part_of_a_message_comes_back() {
    let bench = Bench::new("parts", 1, &[]).await;
    let octets = Bytes::from_static(b"\xff\x00");
    let mut message = Message::new(octets.clone())
        .with_key(octets.clone())
        .with_header("a", "1")
        .with_header("n", Value::Null)
        .with_header("a", Value::Bytes(octets))
        .with_header("e", "")
        .with_header("i", Value::I32(5));
    message.props.timestamp = Some(Millis(1_357_016_400_123));
    message.props.content_type = Some("text/plain".into());
    let mut tombstone = Message::default().with_key("k");
    tombstone.props.timestamp = Some(Millis(1));
    let mut empty = Message::new("").with_key("");
    empty.props.timestamp = Some(Millis(2));
    let sent = vec![message, tombstone, empty];
    bench.send(sent.clone()).await;
    let mut received: Vec<_> = bench.drained("", false).await;
    assert_eq!(
        received[1].message.annotations.topic,
        Some(bench.topic.as_str().into())
    );
    for one in &mut received {
        one.message.annotations = Default::default();
    }
    let received: Vec<_> = received.into_iter().map(|one| one.message).collect();
    assert_eq!(received, sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_goes_on_where_its_acks_ended_and_never_past_a_hole() {
    let bench = Bench::new("group", 1, &[]).await;
    bench.send(numbered(0..100)).await;
    let group = format!("?group={}", bench.topic);
    let (mut consumer, settler) = bench.consumer(&group, &OpenOptions::default()).await;
    let mut all = Vec::new();
    while all.len() < 100 {
        all.extend(
            consumer
                .receive(ReceiveLimit::messages(100))
                .await
                .unwrap()
                .unwrap(),
        );
    }
    let but_one: Vec<_> = all
        .iter()
        .filter(|one| one.receipt.number != 40)
        .cloned()
        .collect();
    settler.settle(acks(&but_one[60..])).await.unwrap();
    settler.settle(acks(&but_one[..60])).await.unwrap();
    consumer.close().await.unwrap();
    let rest = bench.drained(&group, true).await;
    assert_eq!(payloads(&rest), texts(40..100));
    assert!(bench.drained(&group, true).await.is_empty());
    bench.send(numbered(100..105)).await;
    assert_eq!(
        payloads(&bench.drained(&group, true).await),
        texts(100..105)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_keep_their_partition_and_their_order() {
    let bench = Bench::new("keys", 3, &[]).await;
    let keyed = (0..300u32).map(|n| Message::new(n.to_string()).with_key(format!("k{}", n % 7)));
    bench.send(keyed.collect()).await;
    let group = format!("?group={}", bench.topic);
    let all = bench.drained(&group, true).await;
    assert_eq!(all.len(), 300);
    let mut last = BTreeMap::new();
    for one in &all {
        let key = one.message.key.clone().unwrap();
        let number: u32 = payloads(std::slice::from_ref(one))[0].parse().unwrap();
        let lane = one.lane();
        let earlier = last.insert(key, (number, lane));
        assert!(earlier.is_none_or(|(n, l)| n < number && l == lane));
    }
    assert!(bench.drained(&group, true).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_starts_where_the_address_says() {
    let bench = Bench::new("start", 1, &[]).await;
    let timed = (0..10u32).map(|n| {
        let mut message = Message::new(n.to_string());
        message.props.timestamp = Some(Millis(1_357_016_400_000 + i64::from(n) * 1000));
        message
    });
    bench.send(timed.collect()).await;
    let starts = [
        ("?from=earliest", 0..10),
        ("?from=latest", 10..10),
        ("?from=7", 7..10),
        ("?from=2013-01-01T05:00:04Z", 4..10),
        ("?from=2030-01-01T05:00:04Z", 10..10),
    ];
    for (index, (query, expected)) in starts.into_iter().enumerate() {
        let found = payloads(&bench.drained(query, true).await);
        assert_eq!(found, texts(expected.clone()), "{query}");
        let group = format!("{query}&group={}-{index}", bench.topic);
        assert_eq!(
            payloads(&bench.drained(&group, true).await),
            texts(expected),
            "{group}"
        );
        assert!(
            bench.drained(&group, true).await.is_empty(),
            "{group} goes on where it was"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_started_at_the_latest_message_carries_all_that_came_since() {
    let bench = Bench::new("latest", 1, &[]).await;
    bench.send(numbered(0..2)).await;
    let latest = format!("?from=latest&group={}", bench.topic);
    let (mut consumer, _settler) = bench.consumer(&latest, &OpenOptions::default()).await;
    consumer.close().await.unwrap();
    bench.send(numbered(2..5)).await;
    for settle in [false, true] {
        let found = bench.drained(&latest, settle).await;
        assert_eq!(payloads(&found), texts(2..5));
    }
    assert!(bench.drained(&latest, true).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_held_one_place_only_is_not_sent_what_was_there_before() {
    let bench = Bench::new("held", 4, &[]).await;
    bench.send(numbered(0..100)).await;
    let group = format!("?group={}", bench.topic);
    let (mut consumer, settler) = bench.consumer(&group, &OpenOptions::drain()).await;
    let mut all = Vec::new();
    while let Some(batch) = consumer.receive(ReceiveLimit::messages(100)).await.unwrap() {
        all.extend(batch);
    }
    all.retain(|one| one.lane() == Lane(2));
    settler.settle(acks(&all)).await.unwrap();
    consumer.close().await.unwrap();
    assert!(!all.is_empty() && all.len() < 100, "{}", all.len());
    let latest = format!("{group}&from=latest");
    assert!(bench.drained(&latest, true).await.is_empty());
    bench.send(numbered(100..105)).await;
    assert_eq!(bench.drained(&latest, true).await.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_large_fails_alone() {
    let bench = Bench::new("large", 1, &[("max.message.bytes", "20000")]).await;
    let mut batch = numbered(0..1000);
    batch[500] = Message::new(vec![b'x'; 17_000_000]);
    let mut producer = bench.producer().await;
    let results = producer.send(batch).await;
    for (n, result) in results.iter().enumerate() {
        match n {
            500 => assert_eq!(result.as_ref().unwrap_err().kind(), ErrorKind::TooLarge),
            _ => assert!(result.is_ok(), "{n}: {result:?}"),
        }
    }
    let expected: Vec<_> = texts(0..1000).into_iter().filter(|n| n != "500").collect();
    assert_eq!(payloads(&bench.drained("", true).await), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_is_not_received_from_is_bounded_and_loses_nothing() {
    let bench = Bench::new("bounded", 1, &[]).await;
    bench.send(numbered(0..300)).await;
    let options = OpenOptions {
        window: Some(10),
        ..OpenOptions::drain()
    };
    let (mut consumer, settler) = bench.consumer("", &options).await;
    let mut all = Vec::new();
    while let Some(batch) = consumer.receive(ReceiveLimit::messages(7)).await.unwrap() {
        settler.settle(acks(&batch)).await.unwrap();
        all.extend(batch);
    }
    assert_eq!(payloads(&all), texts(0..300));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_kafka_cannot_do_is_refused() {
    let bench = Bench::new("refused", 1, &[]).await;
    bench.send(numbered(0..1)).await;
    let (mut consumer, settler) = bench.consumer("", &OpenOptions::default()).await;
    let batch = consumer.receive(ReceiveLimit::ONE).await.unwrap().unwrap();
    let refused = settler
        .settle(vec![(batch[0].receipt, Settlement::RELEASE)])
        .await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Unsupported);
    consumer.close().await.unwrap();
    let closed = consumer.receive(ReceiveLimit::ONE).await.unwrap_err();
    assert_eq!(closed.kind(), ErrorKind::Closed);
    let lease = KafkaDriver
        .consumer(&bench.address("?mode=lease"), &OpenOptions::default())
        .await;
    assert_eq!(
        lease.err().map(|error| error.kind()),
        Some(ErrorKind::Unsupported)
    );
    let nowhere: Address = format!("kafka://{}/nowhere-at-all", bench.hosts)
        .parse()
        .unwrap();
    assert_eq!(
        KafkaDriver
            .probe(&bench.address(""))
            .await
            .err()
            .map(|e| e.kind()),
        None
    );
    let missing = KafkaDriver
        .probe(&nowhere)
        .await
        .err()
        .map(|error| error.kind());
    assert_eq!(missing, Some(ErrorKind::NotFound));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_not_there_is_told_as_that() {
    let nobody: Address = "kafka://127.0.0.1:1/t".parse().unwrap();
    let (producer, probe) = tokio::join!(KafkaDriver.producer(&nobody), KafkaDriver.probe(&nobody));
    assert_eq!(
        producer.err().map(|error| error.kind()),
        Some(ErrorKind::Disconnected)
    );
    assert_eq!(
        probe.err().map(|error| error.kind()),
        Some(ErrorKind::Disconnected)
    );
}
