//! Connections from inside: clients that leave, and stores that refuse, at the wrong moment.

mod gate;
mod silence;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use standpipe_core::{
    broker::{DEFAULT_NAMESPACE, Options},
    codec::Codecs,
    store::Layered,
};
use tokio::net::TcpListener;

use super::*;
use gate::Gate;

/// What the client says, on channel 1. What it is answered stays in the output: it does not read.
impl Connection {
    async fn say(&mut self, method: &Method) {
        self.say_on(1, method).await;
    }

    async fn say_on(&mut self, channel: u16, method: &Method) {
        let mut payload = BytesMut::new();
        method.encode(&mut payload).unwrap();
        self.take(channel, FrameKind::Method, payload.freeze())
            .await;
    }

    async fn take(&mut self, channel: u16, kind: FrameKind, payload: Bytes) {
        let frame = Frame {
            kind,
            channel,
            payload,
        };
        self.channel_frame(frame).await.unwrap();
    }

    async fn open_channel(&mut self, channel: u16) {
        let out_of_band = Text::default();
        let open = Method::ChannelOpen { out_of_band };
        self.say_on(channel, &open).await;
    }

    /// Gets a message, and acks nothing.
    async fn get(&mut self, channel: u16, queue: &str) {
        let get = Method::BasicGet {
            ticket: 0,
            queue: queue.into(),
            no_ack: false,
        };
        self.say_on(channel, &get).await;
    }

    async fn declare(&mut self, queue: &str, durable: bool) {
        let declare = Method::QueueDeclare {
            ticket: 0,
            queue: queue.into(),
            passive: false,
            durable,
            exclusive: false,
            auto_delete: false,
            nowait: true,
            arguments: Vec::new(),
        };
        self.say(&declare).await;
    }

    /// Publishes a persistent message.
    async fn publish(&mut self, queue: &str, body: Vec<u8>) {
        let publish = Method::BasicPublish {
            ticket: 0,
            exchange: Text::default(),
            routing_key: queue.into(),
            mandatory: false,
            immediate: false,
        };
        self.say(&publish).await;
        let size = (body.len() as u64).to_be_bytes();
        let header = [&[0, 60, 0, 0][..], &size, &[0x10, 0, 2]].concat();
        self.take(1, FrameKind::Header, header.into()).await;
        self.take(1, FrameKind::Body, body.into()).await;
    }

    async fn consume(&mut self, queue: &str, no_ack: bool) {
        let consume = Method::BasicConsume {
            ticket: 0,
            queue: queue.into(),
            consumer_tag: Text::default(),
            no_local: false,
            no_ack,
            exclusive: false,
            nowait: true,
            arguments: Vec::new(),
        };
        self.say(&consume).await;
    }

    async fn hang_up(self) {
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        self.finish(Ended::Gone("the test wants it so".into()), peer)
            .await;
    }
}

/// A connection with a channel.
async fn open(store: &Arc<Layered<Gate>>) -> Connection {
    open_beating(store, None).await.0
}

/// The same with heartbeats at this interval, and its client's socket.
async fn open_beating(
    store: &Arc<Layered<Gate>>,
    heartbeat: Option<Duration>,
) -> (Connection, TcpStream) {
    let mut codecs = Codecs::default();
    crate::codec::register(&mut codecs);
    let opened = Broker::open(store.clone(), codecs, Options::default());
    let around = (opened.await.unwrap(), Arc::new(Replies::default()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap());
    let client = client.await.unwrap();
    // The clock of the test is not that of Nagle's algorithm.
    client.set_nodelay(true).unwrap();
    let (read, _) = listener.accept().await.unwrap().0.into_split();
    let agreed = Agreed {
        channel_max: 8,
        frame_max: 131_072,
        heartbeat,
        cancel_notify: true,
        blocked: false,
    };
    let source = Source::new(read, agreed.frame_max);
    let mut connection = Connection::new(around, source, Arc::default(), agreed);
    connection.open_channel(1).await;
    (connection, client)
}

/// The clock is paused: time passes once nobody has anything left to do.
async fn until_idle() {
    sleep(Duration::from_secs(1)).await;
}

/// Messages of a queue that are ready, and that are leased.
fn counts(broker: &Broker, queue: &str) -> (u64, u64) {
    let queue = broker.queue(DEFAULT_NAMESPACE, queue, None).unwrap();
    let counts = queue.counts();
    (counts.ready, counts.leased)
}

#[tokio::test(start_paused = true)]
async fn what_a_channel_holds_goes_back_though_its_client_leaves_during_the_close() {
    let mut connection = open(&Arc::default()).await;
    let broker = connection.broker.clone();
    connection.declare("q", true).await;
    connection.publish("q", b"x".to_vec()).await;
    connection.consume("q", false).await;
    until_idle().await;
    assert_eq!(counts(&broker, "q"), (0, 1));
    let close = Method::ChannelClose {
        code: 200,
        text: Text::default(),
        class: 0,
        method: 0,
    };
    let closed = connection.say(&close).now_or_never();
    assert!(closed.is_none(), "the close waits for the consumer");
    connection.hang_up().await;
    assert_eq!(counts(&broker, "q"), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn acks_that_fail_in_one_queue_settle_what_is_in_another() {
    let store = Arc::<Layered<Gate>>::default();
    let mut connection = open(&store).await;
    let broker = connection.broker.clone();
    for queue in ["a", "b"] {
        connection.declare(queue, true).await;
        connection.publish(queue, b"x".to_vec()).await;
        until_idle().await;
        connection.get(1, queue).await;
    }
    assert_eq!(["a", "b"].map(|queue| counts(&broker, queue)), [(0, 1); 2]);
    store.refuse_settlements();
    let ack = Method::BasicAck {
        delivery_tag: 2,
        multiple: true,
    };
    connection.say(&ack).await;
    assert!(connection.flush().await.unwrap().is_none());
    assert!(matches!(connection.channels[&1], Slot::Closing));
    assert_eq!(["a", "b"].map(|queue| counts(&broker, queue)), [(0, 0); 2]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_gone_is_given_no_more_while_its_last_publish_waits_for_the_disk() {
    let store = Arc::<Layered<Gate>>::default();
    let mut connection = open(&store).await;
    let broker = connection.broker.clone();
    // One queue in memory, so that its deliveries wait for no disk, and one that does wait.
    connection.declare("memory", false).await;
    connection.declare("disk", true).await;
    for _ in 0..1024 {
        connection.publish("memory", vec![0; 16 << 10]).await;
    }
    connection.consume("memory", true).await;
    until_idle().await;
    let (ready, leased) = counts(&broker, "memory");
    assert!(ready > 0, "the output has no room for all");
    store.hold();
    connection.publish("disk", b"x".to_vec()).await;
    connection.hang_up().await;
    assert_eq!(counts(&broker, "memory"), (ready + leased, 0));
}

#[tokio::test(start_paused = true)]
async fn channels_that_end_with_their_connection_do_not_wait_for_each_others_syncs() {
    let store = Arc::<Layered<Gate>>::default();
    let mut connection = open(&store).await;
    let broker = connection.broker.clone();
    connection.open_channel(2).await;
    connection.declare("q", true).await;
    for channel in [1, 2] {
        connection.publish("q", b"x".to_vec()).await;
        until_idle().await;
        connection.get(channel, "q").await;
    }
    assert_eq!(counts(&broker, "q"), (0, 2));
    store.hold();
    tokio::spawn(connection.hang_up());
    until_idle().await;
    assert_eq!(counts(&broker, "q"), (2, 0));
}
