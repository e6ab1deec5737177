//! A broker in memory behind the AMQP frontend, and a client of raw octets.

use std::{net::SocketAddr, sync::Arc};

use lapin::{Channel, Connection, ConnectionProperties, options::ConfirmSelectOptions};
use standpipe_amqp::AmqpFrontend;
use standpipe_core::{
    broker::{Broker, Limits, Options},
    codec::Codecs,
    frontend::Frontend,
    store::{MemoryStore, Store},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A running frontend; it ends with this value.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) broker: Broker,
    _shutdown: DropGuard,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::over(Arc::new(MemoryStore::new())).await
    }

    pub(crate) async fn over(store: Arc<dyn Store>) -> Self {
        Self::with(store, Options::default()).await
    }

    /// One that lets in this many connections.
    pub(crate) async fn letting_in(connections: usize) -> Self {
        let limits = Limits {
            connections,
            ..Limits::default()
        };
        let options = Options {
            limits,
            ..Options::default()
        };
        Self::with(Arc::new(MemoryStore::new()), options).await
    }

    async fn with(store: Arc<dyn Store>, options: Options) -> Self {
        let mut codecs = Codecs::default();
        standpipe_amqp::codec::register(&mut codecs);
        let broker = Broker::open(store, codecs, options)
            .await
            .expect("an empty store opens");
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let shutdown = CancellationToken::new();
        let serving = Arc::new(AmqpFrontend).serve(listener, broker.clone(), shutdown.clone());
        tokio::spawn(serving);
        Self {
            address,
            broker,
            _shutdown: shutdown.drop_guard(),
        }
    }

    /// A channel of lapin's, with confirms; it lasts as long as the connection.
    pub(crate) async fn channel(&self) -> (Connection, Channel) {
        let url = format!("amqp://guest:guest@{}/%2f", self.address);
        let connection = Connection::connect(&url, ConnectionProperties::default());
        let connection = connection.await.expect("no refusal");
        let channel = connection.create_channel().await.expect("no refusal");
        let confirms = channel.confirm_select(ConfirmSelectOptions::default());
        confirms.await.expect("no refusal");
        (connection, channel)
    }

    pub(crate) async fn raw(&self) -> Raw {
        Raw(TcpStream::connect(self.address)
            .await
            .expect("the server listens"))
    }

    /// Fails unless a new client can open a connection and a channel.
    pub(crate) async fn check_alive(&self) {
        let mut client = self.raw().await;
        client.send(&opening()).await;
        client.until(&[10, 41]).await;
    }
}

/// A client that says exactly what a test wants said.
pub(crate) struct Raw(TcpStream);

impl Raw {
    /// Sends; that the server has hung up is no failure here.
    pub(crate) async fn send(&mut self, octets: &[u8]) {
        let _ = self.0.write_all(octets).await;
    }

    /// Everything until the server hangs up.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut octets = Vec::new();
        let _ = self.0.read_to_end(&mut octets).await;
        octets
    }

    /// Reads frames until a method of this class and number; returns its arguments.
    pub(crate) async fn until(&mut self, class_and_method: &[u8; 2]) -> Vec<u8> {
        loop {
            let (found, arguments) = self.method().await;
            if found == *class_and_method {
                return arguments;
            }
        }
    }

    /// Reads frames until a method; returns its class and number, and its arguments.
    pub(crate) async fn method(&mut self) -> ([u8; 2], Vec<u8>) {
        loop {
            let mut head = [0; 7];
            self.0.read_exact(&mut head).await.expect("another frame");
            let size = u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize;
            let mut payload = vec![0; size + 1];
            self.0.read_exact(&mut payload).await.expect("its payload");
            payload.pop();
            if head[0] == 1 {
                return ([payload[1], payload[3]], payload[4..].to_vec());
            }
        }
    }

    /// The reply code with which the server closes the connection.
    pub(crate) async fn close_code(&mut self) -> u16 {
        let arguments = self.until(&[10, 50]).await;
        u16::from_be_bytes([arguments[0], arguments[1]])
    }
}

pub(crate) fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    out.extend(channel.to_be_bytes());
    out.extend(
        u32::try_from(payload.len())
            .expect("test data is small")
            .to_be_bytes(),
    );
    out.extend(payload);
    out.push(0xCE);
    out
}

pub(crate) fn method(channel: u16, class: u8, number: u8, arguments: &[u8]) -> Vec<u8> {
    frame(1, channel, &[&[0, class, 0, number], arguments].concat())
}

/// `connection.start-ok` of a client that can be told that its login is refused.
pub(crate) fn start_ok(mechanism: &[u8], response: &[u8]) -> Vec<u8> {
    let properties = capable_of(b"authentication_failure_close");
    start_ok_with(&properties, mechanism, response)
}

/// `connection.start-ok` with a table of client properties.
pub(crate) fn start_ok_with(properties: &[u8], mechanism: &[u8], response: &[u8]) -> Vec<u8> {
    let mut arguments = properties.to_vec();
    arguments.push(u8::try_from(mechanism.len()).expect("a short string"));
    arguments.extend(mechanism);
    arguments.extend(
        u32::try_from(response.len())
            .expect("test data is small")
            .to_be_bytes(),
    );
    arguments.extend(response);
    arguments.extend(b"\x05en_US");
    method(0, 10, 11, &arguments)
}

/// All that a client says up to `connection.open`, with heartbeats every `heartbeat` seconds.
pub(crate) fn opening_with(heartbeat: u8) -> Vec<u8> {
    opening_after(start_ok(b"PLAIN", b"\0guest\0guest"), heartbeat)
}

/// The same with at most `count` channels.
pub(crate) fn opening_with_channels(count: u8) -> Vec<u8> {
    let start_ok = start_ok(b"PLAIN", b"\0guest\0guest");
    opening_tuned(start_ok, &[0, count, 0, 2, 0, 0, 0, 0])
}

/// The same of a client that understands `connection.blocked`.
pub(crate) fn capable_opening(heartbeat: u8) -> Vec<u8> {
    opening_capable_of(b"connection.blocked", heartbeat)
}

/// The same of a client with one capability.
pub(crate) fn opening_capable_of(capability: &[u8], heartbeat: u8) -> Vec<u8> {
    let properties = capable_of(capability);
    let start_ok = start_ok_with(&properties, b"PLAIN", b"\0guest\0guest");
    opening_after(start_ok, heartbeat)
}

/// Client properties with one capability.
fn capable_of(capability: &[u8]) -> Vec<u8> {
    let length = u8::try_from(capability.len()).expect("a short string");
    let capability = [&[length], capability, b"t\x01"].concat();
    long(&[b"\x0ccapabilitiesF", &*long(&capability)].concat())
}

/// Octets behind their length.
pub(crate) fn long(octets: &[u8]) -> Vec<u8> {
    let length = u32::try_from(octets.len()).expect("test data is small");
    [&length.to_be_bytes(), octets].concat()
}

/// From the protocol header to `connection.open`, with this `connection.start-ok`.
pub(crate) fn opening_after(start_ok: Vec<u8>, heartbeat: u8) -> Vec<u8> {
    opening_tuned(start_ok, &[0, 0, 0, 2, 0, 0, 0, heartbeat])
}

fn opening_tuned(start_ok: Vec<u8>, limits: &[u8; 8]) -> Vec<u8> {
    let tune_ok = method(0, 10, 31, limits);
    let open = method(0, 10, 40, b"\x01/\x00\x00");
    let header = b"AMQP\x00\x00\x09\x01".to_vec();
    [header, start_ok, tune_ok, open].concat()
}

pub(crate) fn opening() -> Vec<u8> {
    opening_with(0)
}

pub(crate) fn open_channel() -> Vec<u8> {
    method(1, 20, 10, &[0])
}

/// A durable queue `q`; asking for it again is a round trip that changes nothing.
pub(crate) fn declare() -> Vec<u8> {
    method(1, 50, 10, b"\0\0\x01q\x02\0\0\0\0")
}

/// `basic.publish` of `body` to queue `q`, its header and its body.
pub(crate) fn publish(body: &[u8]) -> Vec<u8> {
    publish_to(b"\x01q", &[0, 0], body)
}

/// The same with delivery mode 2.
pub(crate) fn publish_persistent(body: &[u8]) -> Vec<u8> {
    publish_to(b"\x01q", &[0x10, 0, 2], body)
}

/// The same with this routing key, and these flags and properties.
pub(crate) fn publish_to(key: &[u8], properties: &[u8], body: &[u8]) -> Vec<u8> {
    let mut header = vec![0, 60, 0, 0];
    header.extend((body.len() as u64).to_be_bytes());
    header.extend(properties);
    [
        method(1, 60, 40, &[&[0, 0, 0], key, &[0]].concat()),
        frame(2, 1, &header),
        frame(3, 1, body),
    ]
    .concat()
}
