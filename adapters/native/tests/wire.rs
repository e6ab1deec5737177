//! The native protocol over real sockets, against a broker in memory.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{sync::Arc, time::Duration};

use standpipe_core::{
    ErrorKind,
    address::Address,
    broker::{Broker, Options},
    codec::Codecs,
    driver::{
        Consumer, Driver, Incoming, NewTopic, OpenOptions, Producer, ReceiveLimit, Settlement,
        Settler, StartAt,
    },
    frontend::Frontend as _,
    id::Offset,
    message::{Message, Value},
    store::MemoryStore,
};
use standpipe_native::{client::NativeDriver, frontend::NativeFrontend};
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

const SOON: Duration = Duration::from_secs(10);

struct Server {
    authority: String,
    broker: Broker,
    shutdown: CancellationToken,
    serving: Option<JoinHandle<standpipe_core::Result<()>>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Server {
    async fn start() -> Self {
        let store = Arc::new(MemoryStore::new());
        let broker = Broker::open(store, Codecs::default(), Options::default()).await;
        let broker = broker.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let shutdown = CancellationToken::new();
        let serving = Arc::new(NativeFrontend).serve(listener, broker.clone(), shutdown.clone());
        let serving = Some(tokio::spawn(serving));
        Self {
            authority,
            broker,
            shutdown,
            serving,
        }
    }

    fn address(&self, rest: &str) -> Address {
        format!("standpipe://{}/{rest}", self.authority)
            .parse()
            .unwrap()
    }

    async fn producer(&self, rest: &str) -> Box<dyn Producer> {
        NativeDriver::new()
            .producer(&self.address(rest))
            .await
            .unwrap()
    }

    async fn consumer(&self, rest: &str) -> (Box<dyn Consumer>, Box<dyn Settler>) {
        self.consumer_with(rest, &OpenOptions::default()).await
    }

    async fn consumer_with(
        &self,
        rest: &str,
        options: &OpenOptions,
    ) -> (Box<dyn Consumer>, Box<dyn Settler>) {
        let driver = NativeDriver::new();
        driver.consumer(&self.address(rest), options).await.unwrap()
    }

    async fn publish(&self, topic: &str, count: usize) {
        let messages = (0..count).map(|n| Message::new(n.to_string())).collect();
        for result in self.producer(topic).await.send(messages).await {
            result.unwrap();
        }
    }
}

async fn receive(consumer: &mut Box<dyn Consumer>, count: usize) -> Vec<Incoming> {
    let mut received = Vec::new();
    while received.len() < count {
        let limit = ReceiveLimit::messages(count - received.len());
        let more = timeout(SOON, consumer.receive(limit)).await.unwrap();
        received.extend(more.unwrap().unwrap());
    }
    received
}

async fn drain(consumer: &mut Box<dyn Consumer>) -> Vec<Incoming> {
    let mut received = Vec::new();
    while let Some(more) = timeout(SOON, consumer.receive(ReceiveLimit::messages(100)))
        .await
        .unwrap()
        .unwrap()
    {
        received.extend(more);
    }
    received
}

fn payloads(received: &[Incoming]) -> Vec<usize> {
    let payload = |one: &Incoming| {
        let payload = one.message.payload.clone().unwrap();
        std::str::from_utf8(&payload).unwrap().parse().unwrap()
    };
    received.iter().map(payload).collect()
}

fn acks(received: &[Incoming]) -> Vec<(standpipe_core::driver::ReceiptToken, Settlement)> {
    let ack = |one: &Incoming| (one.receipt, Settlement::Ack);
    received.iter().map(ack).collect()
}

#[tokio::test]
async fn what_is_published_is_received_unchanged() {
    let server = Server::start().await;
    let sent = vec![
        Message::default().with_key("tombstone"),
        Message::new("")
            .with_header("a", Value::Null)
            .with_header("a", ""),
        Message::new(vec![0xff, 0])
            .with_header("n", 5i64)
            .with_header("l", Value::List(vec![Value::Bool(true)])),
    ];
    let results = server.producer("t").await.send(sent.clone()).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    let (mut consumer, settler) = server.consumer("t").await;
    let received = receive(&mut consumer, 3).await;
    for (sent, received) in sent.iter().zip(&received) {
        let mut message = received.message.clone();
        assert_eq!(message.annotations.topic.clone().unwrap(), "t");
        message.annotations = sent.annotations.clone();
        assert_eq!(message, *sent);
    }
    settler.settle(acks(&received)).await.unwrap();
}

#[tokio::test]
async fn a_batch_for_one_partition_is_stored_as_one_entry() {
    let server = Server::start().await;
    server.publish("t", 100).await;
    let topic = server.broker.topic("/", "t").unwrap();
    let limit = standpipe_core::store::ReadLimit {
        bytes: usize::MAX,
        entries: 100,
    };
    let entries = topic
        .read(standpipe_core::id::PartitionId(0), Offset(0), limit)
        .await
        .unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].draft.span, 100);
}

#[tokio::test]
async fn two_lease_consumers_share_the_work() {
    let server = Server::start().await;
    let options = OpenOptions {
        window: Some(5),
        ..OpenOptions::default()
    };
    let (mut one, one_settles) = server.consumer_with("t", &options).await;
    let (mut other, other_settles) = server.consumer_with("t", &options).await;
    // Both have asked before there is anything.
    let asked = tokio::join!(
        timeout(Duration::from_millis(50), one.receive(ReceiveLimit::ONE)),
        timeout(Duration::from_millis(50), other.receive(ReceiveLimit::ONE)),
    );
    assert!(asked.0.is_err() && asked.1.is_err());
    server.publish("t", 10).await;
    let (first, second) = tokio::join!(receive(&mut one, 5), receive(&mut other, 5));
    let mut all = [payloads(&first), payloads(&second)].concat();
    all.sort_unstable();
    assert_eq!(all, (0..10).collect::<Vec<_>>());
    one_settles.settle(acks(&first)).await.unwrap();
    other_settles.settle(acks(&second)).await.unwrap();
    let queue = server.broker.queue("/", "t", None).unwrap();
    assert_eq!(queue.counts().leased, 0);
    assert_eq!(
        queue.floor(standpipe_core::id::PartitionId(0)),
        Some(Offset(10))
    );
}

#[tokio::test]
async fn no_more_is_delivered_than_the_window_allows() {
    let server = Server::start().await;
    server.publish("t", 50).await;
    let options = OpenOptions {
        window: Some(7),
        ..OpenOptions::default()
    };
    let (mut consumer, settler) = server.consumer_with("t", &options).await;
    let received = receive(&mut consumer, 7).await;
    let more = timeout(
        Duration::from_millis(100),
        consumer.receive(ReceiveLimit::ONE),
    );
    assert!(more.await.is_err(), "an eighth message came");
    let queue = server.broker.queue("/", "t", None).unwrap();
    assert_eq!(queue.counts().leased, 7);
    settler.settle(acks(&received)).await.unwrap();
    assert_eq!(
        payloads(&receive(&mut consumer, 7).await),
        (7..14).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn what_is_released_comes_again_with_its_count_and_what_is_rejected_does_not() {
    let server = Server::start().await;
    server.publish("t", 3).await;
    let (mut consumer, settler) = server.consumer("t").await;
    let received = receive(&mut consumer, 3).await;
    let settlements = vec![
        (received[0].receipt, Settlement::Ack),
        (received[1].receipt, Settlement::RELEASE),
        (received[2].receipt, Settlement::reject("bad")),
    ];
    settler.settle(settlements).await.unwrap();
    let again = receive(&mut consumer, 1).await;
    assert_eq!(payloads(&again), [1]);
    assert_eq!(again[0].attempts, 1);
    settler.settle(acks(&again)).await.unwrap();
    let queue = server.broker.queue("/", "t", None).unwrap();
    assert_eq!(queue.rejected(), 1);
    assert_eq!((queue.counts().ready, queue.counts().leased), (0, 0));
}

#[tokio::test]
async fn settling_twice_is_refused() {
    let server = Server::start().await;
    server.publish("t", 1).await;
    let (mut consumer, settler) = server.consumer("t").await;
    let received = receive(&mut consumer, 1).await;
    settler.settle(acks(&received)).await.unwrap();
    let error = settler.settle(acks(&received)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_closed_consumer_gives_back_what_it_did_not_settle() {
    let server = Server::start().await;
    server.publish("t", 2).await;
    let (mut consumer, settler) = server.consumer("t").await;
    assert_eq!(receive(&mut consumer, 2).await.len(), 2);
    consumer.close().await.unwrap();
    drop((consumer, settler));
    let (mut next, _settler) = server.consumer("t").await;
    let again = receive(&mut next, 2).await;
    assert_eq!(payloads(&again), [0, 1]);
    assert!(again.iter().all(|one| one.attempts == 1));
}

#[tokio::test]
async fn a_positional_group_goes_on_where_it_committed() {
    let server = Server::start().await;
    server.publish("t", 10).await;
    let address = "t?mode=positional&group=g";
    let (mut consumer, settler) = server.consumer(address).await;
    let received = receive(&mut consumer, 10).await;
    settler.settle(acks(&received[..4])).await.unwrap();
    drop((consumer, settler));
    let (mut consumer, _settler) = server.consumer(address).await;
    assert_eq!(
        payloads(&receive(&mut consumer, 6).await),
        (4..10).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_positional_reader_seeks() {
    let server = Server::start().await;
    server.publish("t", 10).await;
    let (mut consumer, settler) = server.consumer("t?mode=positional&from=8").await;
    assert_eq!(payloads(&receive(&mut consumer, 2).await), [8, 9]);
    consumer.seek(StartAt::Offset(Offset(3))).await.unwrap();
    assert_eq!(
        payloads(&receive(&mut consumer, 7).await),
        (3..10).collect::<Vec<_>>()
    );
    let released = settler.settle(vec![(
        standpipe_core::driver::ReceiptToken::default(),
        Settlement::RELEASE,
    )]);
    assert_eq!(released.await.unwrap_err().kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_replay_whose_reader_is_gone_does_not_hold_up_the_end() {
    let mut server = Server::start().await;
    server.publish("t", 3).await;
    let (mut consumer, settler) = server.consumer("t?mode=positional&from=earliest").await;
    receive(&mut consumer, 3).await;
    drop((consumer, settler));
    // By then the server has seen the end.
    server.publish("other", 100).await;
    server.shutdown.cancel();
    // Less than the grace, after which connections are cut.
    let ended = timeout(Duration::from_secs(4), server.serving.take().unwrap()).await;
    ended.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_drain_ends_with_what_was_there_in_every_mode() {
    let server = Server::start().await;
    server.publish("t", 3000).await;
    let options = OpenOptions::drain();
    for address in ["t?mode=positional", "t?group=work", "t"] {
        let (mut consumer, settler) = server.consumer_with(address, &options).await;
        let mut received = Vec::new();
        while let Some(more) = timeout(SOON, consumer.receive(ReceiveLimit::messages(100)))
            .await
            .unwrap()
            .unwrap()
        {
            settler.settle(acks(&more)).await.unwrap();
            received.extend(more);
        }
        assert_eq!(
            payloads(&received),
            (0..3000).collect::<Vec<_>>(),
            "{address}"
        );
    }
    let (mut consumer, _settler) = server.consumer_with("t", &options).await;
    assert!(
        drain(&mut consumer).await.is_empty(),
        "all of it was settled"
    );
    let (mut consumer, _settler) = server.consumer_with("new", &options).await;
    assert!(drain(&mut consumer).await.is_empty(), "there was nothing");
}

#[tokio::test]
async fn a_message_above_the_limit_is_refused_and_the_others_are_kept() {
    let server = Server::start().await;
    let large = Message::new(vec![0; (16 << 20) + 1]);
    let batch = vec![Message::new("0"), large, Message::new("1")];
    let results = server.producer("t").await.send(batch).await;
    let kinds: Vec<_> = results
        .iter()
        .map(|result| result.as_ref().err().map(standpipe_core::Error::kind))
        .collect();
    assert_eq!(kinds, [None, Some(ErrorKind::TooLarge), None]);
    let (mut consumer, _settler) = server.consumer("t").await;
    assert_eq!(payloads(&receive(&mut consumer, 2).await), [0, 1]);
}

#[tokio::test]
async fn a_publish_that_no_binding_matches_is_an_error() {
    let server = Server::start().await;
    let mut producer = server.producer("?exchange=amq.topic&key=nobody").await;
    let results = producer.send(vec![Message::new("x")]).await;
    assert_eq!(
        results[0].as_ref().unwrap_err().kind(),
        ErrorKind::Permanent
    );
    let mut producer = server.producer("?exchange=missing&key=k").await;
    let results = producer.send(vec![Message::new("x")]).await;
    assert_eq!(results[0].as_ref().unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn topics_are_administered() {
    let server = Server::start().await;
    let admin = NativeDriver::new()
        .admin(&server.address(""))
        .await
        .unwrap();
    let topic = NewTopic {
        name: "made".to_owned(),
        partitions: std::num::NonZeroU32::new(3),
        retention: Some("7d,10GB".to_owned()),
        durability: Some("os".to_owned()),
    };
    admin.create(topic.clone()).await.unwrap();
    let again = admin.create(topic.clone()).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Exists);
    for (word, kind) in [
        ("7d,compact", ErrorKind::Invalid),
        ("10XB", ErrorKind::Invalid),
    ] {
        let mut refused = topic.clone();
        (refused.name, refused.retention) = ("not".to_owned(), Some(word.to_owned()));
        let refused = admin.create(refused).await.unwrap_err();
        assert_eq!(refused.kind(), kind, "{refused}");
        assert!(refused.message().contains(&format!("`{word}`")));
    }
    server.publish("made", 5).await;
    let (mut consumer, _settler) = server.consumer("made").await;
    receive(&mut consumer, 5).await;
    let described = admin.describe("made").await.unwrap();
    assert_eq!(described.retention.as_deref(), Some("7d,10GB"));
    assert_eq!(described.durability.as_deref(), Some("os"));
    assert_eq!(described.partitions.len(), 3);
    assert!(described.partitions.iter().any(|p| p.octets > 0));
    assert_eq!(described.subscriptions[0].leased, 5);
    assert_eq!(described.held_by, None, "limits hold nothing for anybody");
    consumer.close().await.unwrap();
    let names: Vec<_> = admin
        .list()
        .await
        .unwrap()
        .into_iter()
        .map(|t| t.name)
        .collect();
    assert_eq!(names, ["made"]);
    admin.delete("made").await.unwrap();
    let gone = admin.describe("made").await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_deleted_topic_ends_its_consumers_with_the_reason() {
    let server = Server::start().await;
    let (mut consumer, _settler) = server.consumer("t").await;
    let receiving = consumer.receive(ReceiveLimit::ONE);
    let (received, deleted) = tokio::join!(receiving, server.broker.delete_topic("/", "t"));
    deleted.unwrap();
    assert_eq!(received.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn keyed_mode_is_refused() {
    let server = Server::start().await;
    let address = server.address("t?mode=keyed");
    let opened = NativeDriver::new()
        .consumer(&address, &OpenOptions::default())
        .await;
    assert_eq!(opened.err().unwrap().kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn shutdown_says_so_and_the_server_returns() {
    let server = Server::start().await;
    let (mut consumer, _settler) = server.consumer("t").await;
    server.shutdown.cancel();
    let end = timeout(SOON, consumer.receive(ReceiveLimit::ONE))
        .await
        .unwrap();
    assert_eq!(end.unwrap_err().kind(), ErrorKind::Disconnected);
}

#[tokio::test]
async fn the_broker_in_this_process_is_opened_without_a_host() {
    let server = Server::start().await;
    let driver = NativeDriver::with_broker(server.broker.clone());
    let address: Address = "standpipe:///t".parse().unwrap();
    let mut producer = driver.producer(&address).await.unwrap();
    let results = producer
        .send(vec![Message::new("0"), Message::new("1")])
        .await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    let (mut consumer, settler) = driver
        .consumer(&address, &OpenOptions::default())
        .await
        .unwrap();
    let received = receive(&mut consumer, 2).await;
    assert_eq!(payloads(&received), [0, 1]);
    settler.settle(acks(&received)).await.unwrap();
    consumer.close().await.unwrap();
}
