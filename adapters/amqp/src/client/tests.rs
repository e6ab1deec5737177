//! The client against our own frontend, or against the broker that `STANDPIPE_TEST_AMQP` names, such
//! as `amqp://guest:guest@127.0.0.1:5672`.

use std::{sync::Arc, time::Duration};

use lapin::{
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions},
    types::FieldTable,
};
use standpipe_core::{
    ErrorKind,
    address::Address,
    broker::{Broker, Options},
    codec::Codecs,
    driver::{
        Consumer, Driver, Incoming, OpenOptions, Producer, ReceiveLimit, Settlement, Settler,
    },
    frontend::Frontend,
    message::{Message, Value},
    store::MemoryStore,
};
use tokio_util::sync::CancellationToken;

use super::{AmqpDriver, connect};
use crate::AmqpFrontend;

/// A broker with one queue of this test's own, bound to an exchange of that name.
struct Bench {
    base: String,
    name: &'static str,
    admin: lapin::Connection,
    _serving: Option<tokio_util::sync::DropGuard>,
}

impl Bench {
    async fn new(name: &'static str) -> Self {
        let (base, serving) = match std::env::var("STANDPIPE_TEST_AMQP") {
            Ok(base) => (base, None),
            Err(_) => {
                let (base, serving) = serve().await;
                (base, Some(serving))
            }
        };
        let address: Address = format!("{base}/%2f?queue={name}").parse().unwrap();
        let admin = connect::connect(&address).await.unwrap();
        let channel = admin.create_channel().await.unwrap();
        let table = FieldTable::default;
        channel
            .queue_delete(name.into(), QueueDeleteOptions::default())
            .await
            .unwrap();
        let options = QueueDeclareOptions {
            durable: true,
            ..Default::default()
        };
        channel
            .queue_declare(name.into(), options, table())
            .await
            .unwrap();
        let (kind, options) = (
            lapin::ExchangeKind::Direct,
            ExchangeDeclareOptions::default(),
        );
        channel
            .exchange_declare(name.into(), kind, options, table())
            .await
            .unwrap();
        let options = QueueBindOptions::default();
        channel
            .queue_bind(name.into(), name.into(), "yes".into(), options, table())
            .await
            .unwrap();
        Self {
            base,
            name,
            admin,
            _serving: serving,
        }
    }

    fn queue(&self) -> Address {
        format!("{}/%2f?queue={}", self.base, self.name)
            .parse()
            .unwrap()
    }

    fn exchange(&self) -> Address {
        format!("{}/%2f?exchange={}", self.base, self.name)
            .parse()
            .unwrap()
    }

    async fn producer(&self) -> Box<dyn Producer> {
        AmqpDriver.producer(&self.queue()).await.unwrap()
    }

    async fn consumer(&self, options: &OpenOptions) -> (Box<dyn Consumer>, Box<dyn Settler>) {
        AmqpDriver.consumer(&self.queue(), options).await.unwrap()
    }

    async fn ready(&self) -> u32 {
        let channel = self.admin.create_channel().await.unwrap();
        connect::ready(&channel, &self.name.into()).await.unwrap()
    }
}

async fn serve() -> (String, tokio_util::sync::DropGuard) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut codecs = Codecs::default();
    crate::codec::register(&mut codecs);
    let store = Arc::new(MemoryStore::new());
    let broker = Broker::open(store, codecs, Options::default())
        .await
        .unwrap();
    let shutdown = CancellationToken::new();
    tokio::spawn(Arc::new(AmqpFrontend).serve(listener, broker, shutdown.clone()));
    (
        format!("amqp://guest:guest@127.0.0.1:{port}"),
        shutdown.drop_guard(),
    )
}

fn numbered(range: std::ops::Range<u32>) -> Vec<Message> {
    range
        .map(|n| Message::new(n.to_string()).with_key(format!("k{n}")))
        .collect()
}

fn payloads(batch: &[Incoming]) -> Vec<String> {
    let text = |one: &Incoming| {
        String::from_utf8_lossy(one.message.payload.as_ref().unwrap()).into_owned()
    };
    batch.iter().map(text).collect()
}

fn kinds(results: Vec<standpipe_core::Result<()>>) -> Vec<Option<ErrorKind>> {
    let kinds = results.into_iter();
    kinds.map(|r| r.err().map(|e| e.kind())).collect()
}

async fn receive(consumer: &mut dyn Consumer, count: usize) -> Vec<Incoming> {
    let mut all = Vec::new();
    while all.len() < count {
        let batch = consumer
            .receive(ReceiveLimit::messages(count - all.len()))
            .await
            .unwrap();
        all.extend(batch.expect("it does not end by itself"));
    }
    all
}

fn settled(
    batch: &[Incoming],
    settlement: &Settlement,
) -> Vec<(standpipe_core::driver::ReceiptToken, Settlement)> {
    batch
        .iter()
        .map(|one| (one.receipt, settlement.clone()))
        .collect()
}

#[tokio::test]
async fn what_is_sent_is_confirmed_and_received_in_order() {
    let bench = Bench::new("client-order").await;
    let mut producer = bench.producer().await;
    let results = producer.send(numbered(0..1000)).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(bench.ready().await, 1000);
    let (mut consumer, settler) = bench
        .consumer(&OpenOptions {
            window: Some(2000),
            ..Default::default()
        })
        .await;
    let batch = receive(&mut *consumer, 1000).await;
    assert_eq!(
        payloads(&batch),
        (0..1000).map(|n| n.to_string()).collect::<Vec<_>>()
    );
    assert_eq!(batch[7].message.key.as_deref(), Some(&b"k7"[..]));
    assert_eq!(batch[7].message.annotations.exchange, Some("".into()));
    settler
        .settle(settled(&batch, &Settlement::Ack))
        .await
        .unwrap();
    consumer.close().await.unwrap();
    assert_eq!(bench.ready().await, 0);
    assert_eq!(
        consumer
            .receive(ReceiveLimit::ONE)
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::Closed
    );
    producer.close().await.unwrap();
}

#[tokio::test]
async fn a_message_that_no_queue_takes_fails_alone() {
    let bench = Bench::new("client-unroutable").await;
    let mut producer = AmqpDriver.producer(&bench.exchange()).await.unwrap();
    let batch = (0..100).map(|n| {
        let mut message = Message::new(format!("body {n}"));
        message.annotations.routing_key = Some(if n % 10 == 3 { "no" } else { "yes" }.into());
        message
    });
    let results = producer.send(batch.collect()).await;
    for (n, result) in results.iter().enumerate() {
        match n % 10 {
            3 => assert_eq!(
                result.as_ref().unwrap_err().kind(),
                ErrorKind::Permanent,
                "{n}"
            ),
            _ => assert!(result.is_ok(), "{n}: {result:?}"),
        }
    }
    assert_eq!(bench.ready().await, 90);
}

#[tokio::test]
async fn a_message_that_amqp_cannot_carry_fails_alone() {
    let bench = Bench::new("client-unsupported").await;
    let mut producer = bench.producer().await;
    let mut batch = numbered(0..3);
    batch[1].props.user_id = Some("somebody".into());
    let refused = Some(ErrorKind::Unsupported);
    assert_eq!(kinds(producer.send(batch).await), [None, refused, None]);
    assert_eq!(bench.ready().await, 2);
}

#[tokio::test]
async fn a_message_that_comes_back_changed_fails_alone() {
    let bench = Bench::new("client-changed").await;
    let mut producer = AmqpDriver.producer(&bench.exchange()).await.unwrap();
    let message = |key: &str, name: &str, value: Value| {
        let mut message = Message::new("x").with_header(name, value);
        message.annotations.routing_key = Some(key.into());
        message
    };
    let nobody = || Value::List(vec![Value::Text("nobody".into())]);
    let batch = vec![
        message("yes", "n", Value::F64(f64::NAN)),
        message("no", "n", Value::F64(f64::NAN)),
        message("no", "BCC", nobody()),
        message("yes", "BCC", nobody()),
    ];
    let results = producer.send(batch).await;
    let refused = Some(ErrorKind::Permanent);
    assert_eq!(kinds(results), [None, refused, refused, None]);
    assert_eq!(bench.ready().await, 2);
}

#[tokio::test]
async fn a_message_that_the_broker_closes_the_channel_for_fails_alone() {
    let bench = Bench::new("client-poison").await;
    let mut producer = bench.producer().await;
    let mut batch = numbered(0..3);
    batch[1] = Message::new("poison").with_header("CC", "no list");
    let refused = Some(ErrorKind::Permanent);
    assert_eq!(kinds(producer.send(batch).await), [None, refused, None]);
    // One that was confirmed too late came twice.
    let count = bench.ready().await as usize;
    let (mut consumer, _settler) = bench.consumer(&OpenOptions::default()).await;
    let found = payloads(&receive(&mut *consumer, count).await);
    assert!(found.iter().all(|payload| payload != "poison"), "{found:?}");
    assert_eq!(kinds(producer.send(numbered(3..5)).await), [None, None]);
}

#[tokio::test]
async fn released_messages_come_again_flagged_and_rejected_ones_do_not() {
    let bench = Bench::new("client-release").await;
    bench.producer().await.send(numbered(0..3)).await;
    let (mut consumer, settler) = bench.consumer(&OpenOptions::default()).await;
    let batch = receive(&mut *consumer, 3).await;
    assert!(batch.iter().all(|one| one.attempts == 0));
    settler
        .settle(settled(&batch[..1], &Settlement::reject("no")))
        .await
        .unwrap();
    settler
        .settle(settled(&batch[1..2], &Settlement::RELEASE))
        .await
        .unwrap();
    let again = receive(&mut *consumer, 1).await;
    assert_eq!(
        (payloads(&again), again[0].attempts),
        (vec!["1".to_owned()], 1)
    );
    let later = Settlement::Release {
        after: Duration::from_secs(1),
    };
    let refused = settler.settle(settled(&again, &later)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    consumer.close().await.unwrap();
    assert_eq!(bench.ready().await, 2);
}

#[tokio::test]
async fn a_drain_ends_when_nothing_is_ready_and_nothing_of_ours_unsettled() {
    let bench = Bench::new("client-drain").await;
    bench.producer().await.send(numbered(0..50)).await;
    let (mut consumer, settler) = bench.consumer(&OpenOptions::drain()).await;
    let mut seen = 0;
    while let Some(batch) = consumer.receive(ReceiveLimit::messages(7)).await.unwrap() {
        seen += batch.len();
        settler
            .settle(settled(&batch, &Settlement::Ack))
            .await
            .unwrap();
    }
    assert_eq!(seen, 50);
    assert!(consumer.receive(ReceiveLimit::ONE).await.unwrap().is_none());
}

#[tokio::test]
async fn a_call_that_is_dropped_loses_no_message() {
    let bench = Bench::new("client-cancel").await;
    let (mut consumer, _settler) = bench.consumer(&OpenOptions::drain()).await;
    let mut producer = bench.producer().await;
    let mut seen = Vec::new();
    for n in 0..20 {
        producer.send(numbered(n..n + 1)).await;
        tokio::select! {
            biased;
            () = std::future::ready(()) => {}
            batch = consumer.receive(ReceiveLimit::ONE) => seen.extend(batch.unwrap().unwrap()),
        }
    }
    let rest = 20 - seen.len();
    seen.extend(receive(&mut *consumer, rest).await);
    assert_eq!(
        payloads(&seen),
        (0..20).map(|n| n.to_string()).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_limit_in_bytes_holds_back_and_loses_nothing() {
    let bench = Bench::new("client-bytes").await;
    bench.producer().await.send(numbered(0..10)).await;
    let (mut consumer, _settler) = bench.consumer(&OpenOptions::default()).await;
    let mut seen = Vec::new();
    while seen.len() < 10 {
        let batch = consumer.receive(ReceiveLimit::ONE).await.unwrap().unwrap();
        assert_eq!(batch.len(), 1);
        seen.extend(batch);
    }
    assert_eq!(
        payloads(&seen),
        (0..10).map(|n| n.to_string()).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn what_is_not_there_or_not_allowed_is_told_apart() {
    let bench = Bench::new("client-errors").await;
    let kind = async |text: String| {
        let probed = AmqpDriver.probe(&text.parse().unwrap()).await;
        probed.err().map(|error| error.kind())
    };
    let base = &bench.base;
    assert_eq!(kind(format!("{base}/%2f?queue=client-errors")).await, None);
    assert_eq!(
        kind(format!("{base}/%2f?exchange=client-errors&key=k")).await,
        None
    );
    assert_eq!(
        kind(format!("{base}/%2f?queue=nowhere")).await,
        Some(ErrorKind::NotFound)
    );
    assert_eq!(
        kind(format!("{base}/%2f?exchange=nowhere")).await,
        Some(ErrorKind::NotFound)
    );
    assert_eq!(
        kind(format!("{base}/nohost?queue=q")).await,
        Some(ErrorKind::Denied)
    );
    let wrong = base.replace("guest:guest", "guest:wrong");
    assert_eq!(
        kind(format!("{wrong}/%2f?queue=q")).await,
        Some(ErrorKind::Denied)
    );
    let nobody = "amqp://guest:guest@127.0.0.1:1/%2f?queue=q".to_owned();
    assert_eq!(kind(nobody).await, Some(ErrorKind::Disconnected));
    let source = AmqpDriver
        .consumer(&bench.exchange(), &OpenOptions::default())
        .await;
    assert_eq!(
        source.err().map(|error| error.kind()),
        Some(ErrorKind::Unsupported)
    );
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_accepts_and_stays_silent_does_not_answer() {
    // The system accepts, and nobody answers the handshake.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap();
    let silent: Address = format!("amqp://guest:guest@{place}/%2f?queue=q")
        .parse()
        .unwrap();
    let probed = tokio::time::timeout(Duration::from_secs(60), AmqpDriver.probe(&silent)).await;
    let error = probed.expect("it gives up").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disconnected);
    assert!(error.to_string().contains("does not answer"), "{error}");
}
