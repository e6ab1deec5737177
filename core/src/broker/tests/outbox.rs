//! What waits for a consumer that does not read is bounded, whatever the size of a message.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::{
    broker::{Attach, Attachment, Credit, Limits},
    codec::Codec,
    driver::Settlement,
    entry::Entry,
    error::Result,
};

const SIZE: usize = 1_000;

fn limited(outbox_bytes: usize) -> Options {
    Options {
        limits: Limits {
            outbox_bytes,
            ..Limits::default()
        },
        ..Options::default()
    }
}

async fn open_limited(outbox_bytes: usize) -> (Broker, Arc<Topic>) {
    let store = Arc::new(MemoryStore::default());
    let opened = Broker::open(store, Codecs::default(), limited(outbox_bytes));
    let broker = opened.await.unwrap();
    let topic = topic(&broker, Retention::Forever).await;
    (broker, topic)
}

fn attach(broker: &Broker, workers: &Arc<Subscription>, credit: Arc<Credit>) -> Attachment {
    let attach = Attach {
        owner: broker.new_owner(),
        credit,
        exclusive: false,
        lease: None,
    };
    broker.attach(workers, attach).unwrap()
}

async fn publish_large(broker: &Broker, count: usize) {
    for _ in 0..count {
        let message = Message::new(vec![7; SIZE]);
        let sent = send(broker, Target::Topic("t"), &message, None);
        sent.confirm.await.unwrap();
    }
}

/// Lets everybody else go as far as they can.
async fn settle_down() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_outbox_is_bounded_in_octets_and_all_comes_in_order() {
    let (broker, topic) = open_limited(SIZE * 3).await;
    let workers = lease(&broker, &topic, "workers").await;
    publish_large(&broker, 300).await;
    let mut consumer = attach(&broker, &workers, Credit::unlimited());
    let mut came = Vec::new();
    while came.len() < 300 {
        settle_down().await;
        let leased = workers.counts().leased as usize - came.len();
        assert!(leased <= 3, "{leased} wait to be received");
        came.extend(offsets(&consumer.recv(1).await.unwrap()));
    }
    assert_eq!(came, (0..300).collect::<Vec<_>>());
}

#[tokio::test]
async fn one_that_does_not_read_does_not_stop_another() {
    let (broker, topic) = open_limited(SIZE).await;
    let workers = lease(&broker, &topic, "workers").await;
    let _idle = attach(&broker, &workers, Credit::unlimited());
    let mut other = attach(&broker, &workers, Credit::unlimited());
    publish_large(&broker, 50).await;
    let mut came = 0;
    while came < 48 {
        came += other.recv(10).await.unwrap().len();
    }
}

#[tokio::test]
async fn a_replay_gives_few_octets_at_a_time() {
    let (broker, topic) = open_limited(SIZE).await;
    let large = Message::new(vec![7; 600_000]);
    for _ in 0..2 {
        let draft = NativeCodec::encode_batch(&vec![large.clone(); 5]);
        let appended = broker.append(Append {
            topic: &topic,
            partition: P0,
            draft,
            pieces: Vec::new(),
            durability: Durability::Disk,
            admission: Admission::none(),
        });
        appended.unwrap().confirm.await.unwrap();
    }
    let reader = broker.positional_reader(&topic, None, StartAt::Earliest);
    let mut reader = reader.await.unwrap();
    let mut came = Vec::new();
    while came.len() < 10 {
        let some = reader.recv(100).await.unwrap();
        assert!(some.len() <= 2, "{} at once", some.len());
        came.extend(offsets(&some));
    }
    assert_eq!(came, (0..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn headers_count_for_what_they_take_in_memory() {
    let (broker, topic) = open_limited(1 << 20).await;
    let workers = lease(&broker, &topic, "workers").await;
    let mut message = Message::new("x");
    for _ in 0..20_000 {
        message = message.with_header("", "");
    }
    for _ in 0..10 {
        let appended = broker.append(Append {
            topic: &topic,
            partition: P0,
            draft: NativeCodec::encode_batch(&[message.clone(), Message::new("y")]),
            pieces: Vec::new(),
            durability: Durability::Disk,
            admission: Admission::none(),
        });
        appended.unwrap().confirm.await.unwrap();
    }
    let _idle = attach(&broker, &workers, Credit::unlimited());
    settle_down().await;
    assert_eq!(workers.counts().leased, 1);
}

/// The native codec, which counts.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Codec for Arc<Counting> {
    fn format(&self) -> Format {
        Format::NATIVE
    }

    fn decode(&self, entry: &Entry) -> Result<Vec<Message>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        NativeCodec.decode(entry)
    }
}

#[tokio::test]
async fn a_batch_that_is_taken_one_by_one_is_decoded_once() {
    let counting = Arc::new(Counting::default());
    let mut codecs = Codecs::default();
    codecs.register(Arc::new(counting.clone()));
    let opened = Broker::open(Arc::<MemoryStore>::default(), codecs, Options::default());
    let broker = opened.await.unwrap();
    let topic = topic(&broker, Retention::Forever).await;
    let workers = lease(&broker, &topic, "workers").await;
    let messages: Vec<_> = (0..100).map(|n| Message::new(n.to_string())).collect();
    let appended = broker.append(Append {
        topic: &topic,
        partition: P0,
        draft: NativeCodec::encode_batch(&messages),
        pieces: Vec::new(),
        durability: Durability::Disk,
        admission: Admission::none(),
    });
    appended.unwrap().confirm.await.unwrap();
    let mut consumer = attach(&broker, &workers, Credit::window(1));
    for n in 0..50 {
        let [delivery] = consumer.recv(9).await.unwrap().try_into().unwrap();
        assert_eq!(delivery.receipt.offset, Offset(n));
        let acked = workers.settle(vec![(delivery.receipt, Settlement::Ack)]);
        acked.unwrap().await.unwrap();
    }
    consumer.cancel().await;
    for n in 50..100 {
        let delivery = workers.get(broker.new_owner()).await.unwrap().unwrap();
        assert_eq!(delivery.receipt.offset, Offset(n));
    }
    assert_eq!(counting.0.load(Ordering::SeqCst), 1);
}
