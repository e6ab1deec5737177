//! What a hostile or broken client does to the native listener, and what it does not.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{io, sync::Arc, time::Duration};

use bytes::BytesMut;
use standpipe_core::{
    broker::{Broker, Options},
    codec::Codecs,
    driver::Driver,
    frontend::Frontend as _,
    id::{Offset, PartitionId},
    message::{Message, Value},
    session::{CreditGrant, Destination, Open, Publication, PublishRequest, Request},
    store::MemoryStore,
};
use standpipe_native::{NativeDriver, NativeFrontend, codec::ClientFrame, codec::VERSION};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

const SOON: Duration = Duration::from_secs(20);

async fn start() -> (String, CancellationToken) {
    let store = Arc::new(MemoryStore::new());
    let broker = Broker::open(store, Codecs::default(), Options::default()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    let shutdown = CancellationToken::new();
    tokio::spawn(Arc::new(NativeFrontend).serve(listener, broker.unwrap(), shutdown.clone()));
    (authority, shutdown)
}

fn hello() -> BytesMut {
    encoded(&ClientFrame::Hello {
        version: VERSION,
        features: 0,
    })
}

fn encoded(frame: &ClientFrame) -> BytesMut {
    let mut out = BytesMut::new();
    frame.encode(&mut out);
    out
}

fn publish(count: usize, size: usize) -> BytesMut {
    encoded(&of_messages(vec![Message::new(vec![b'x'; size]); count]))
}

fn of_messages(messages: Vec<Message>) -> ClientFrame {
    let publication = |(sequence, message)| Publication { sequence, message };
    ClientFrame::Publish(PublishRequest {
        destination: Some(Destination::Topic("t".to_owned())),
        durability: None,
        messages: (0..).zip(messages).map(publication).collect(),
    })
}

/// Sends octets, closes the sending side, and returns what comes until the end.
async fn answer(authority: &str, octets: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(authority).await.unwrap();
    let _ = stream.write_all(octets).await;
    let _ = stream.shutdown().await;
    read_to_end(&mut stream).await
}

async fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut received = Vec::new();
    match timeout(SOON, stream.read_to_end(&mut received)).await {
        Ok(Ok(_)) => received,
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => received,
        Ok(Err(error)) => panic!("{error}"),
        Err(_) => panic!("the connection is still open"),
    }
}

/// Another client's publish is confirmed.
async fn still_serves(authority: &str) {
    let address = format!("standpipe://{authority}/other").parse().unwrap();
    let mut producer = NativeDriver::new().producer(&address).await.unwrap();
    let confirmed = timeout(
        Duration::from_secs(1),
        producer.send(vec![Message::new("x")]),
    );
    assert!(confirmed.await.unwrap()[0].is_ok());
}

fn says(received: &[u8], words: &str) -> bool {
    received
        .windows(words.len())
        .any(|window| window == words.as_bytes())
}

#[tokio::test]
async fn a_handshake_and_a_publish_cut_at_any_octet_end_the_connection() {
    let (authority, _shutdown) = start().await;
    let octets = [hello(), publish(2, 3)].concat();
    for end in 0..octets.len() {
        answer(&authority, &octets[..end]).await;
    }
    still_serves(&authority).await;
}

#[tokio::test]
async fn random_octets_end_the_connection() {
    let (authority, _shutdown) = start().await;
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    for round in 0..200 {
        let octets: Vec<u8> = std::iter::repeat_with(|| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed as u8
        })
        .take(64)
        .collect();
        let octets = match round % 2 {
            0 => octets,
            _ => [&hello()[..], &[0, 0, 0, 60], &octets[..60]].concat(),
        };
        answer(&authority, &octets).await;
    }
    still_serves(&authority).await;
}

#[tokio::test]
async fn another_protocol_is_told_that_this_is_not_it() {
    let (authority, _shutdown) = start().await;
    let received = answer(&authority, b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").await;
    assert!(says(&received, "octets is announced"), "{received:?}");
    let wrong_magic = [&[0, 0, 0, 15, 1][..], b"XXXX", &[0; 10]].concat();
    let received = answer(&authority, &wrong_magic).await;
    assert!(says(&received, "begins with STPP"), "{received:?}");
}

#[tokio::test]
async fn an_announced_frame_of_2_to_the_31_is_refused_by_name() {
    let (authority, _shutdown) = start().await;
    let octets = [&hello()[..], &(1u32 << 31).to_be_bytes()].concat();
    let received = answer(&authority, &octets).await;
    assert!(says(&received, "2147483648"), "{received:?}");
    still_serves(&authority).await;
}

#[tokio::test]
async fn a_million_headers_values_or_offsets_in_a_frame_are_refused_by_name() {
    let (authority, _shutdown) = start().await;
    let many = std::iter::repeat_n(("".into(), Value::Null), 1_000_000);
    let headers = Message {
        headers: many.clone().collect(),
        ..Message::default()
    };
    let table = Message::default().with_header("t", Value::Table(many.collect()));
    let half = Message::default().with_header("l", Value::List(vec![Value::Null; 150_000]));
    let commit = Request::Commit {
        sequence: 1,
        offsets: vec![(PartitionId(0), Offset(1)); 1_000_000],
    };
    let frames = [
        of_messages(vec![headers]),
        of_messages(vec![table]),
        of_messages(vec![half.clone(), half]),
        ClientFrame::Request(commit),
    ];
    for frame in frames {
        let octets = [hello(), encoded(&frame)].concat();
        let received = answer(&authority, &octets).await;
        assert!(says(&received, "262144"), "{received:?}");
    }
    still_serves(&authority).await;
}

#[tokio::test]
async fn an_unknown_frame_and_a_request_without_a_subscription_are_refused() {
    let (authority, _shutdown) = start().await;
    let unknown = [&hello()[..], &[0, 0, 0, 1, 99]].concat();
    assert!(says(
        &answer(&authority, &unknown).await,
        "unknown frame tag 99"
    ));
    let credit = encoded(&ClientFrame::Request(Request::Credit(
        CreditGrant::default(),
    )));
    let early = [&hello()[..], &credit].concat();
    assert!(says(
        &answer(&authority, &early).await,
        "no subscription is open"
    ));
    let twice = [hello(), encoded(&ClientFrame::Open(Open::new("t")))];
    let twice = [&twice[0][..], &twice[1], &twice[1]].concat();
    assert!(says(&answer(&authority, &twice).await, "one subscription"));
    let nameless = encoded(&ClientFrame::Publish(PublishRequest::default()));
    let nameless = [&hello()[..], &nameless].concat();
    let mut stream = TcpStream::connect(&authority).await.unwrap();
    stream.write_all(&nameless).await.unwrap();
    assert!(says(
        &read_to_end(&mut stream).await,
        "names no destination"
    ));
}

#[tokio::test(start_paused = true)]
async fn half_open_connections_are_closed_after_ten_seconds() {
    let (authority, _shutdown) = start().await;
    let before = Instant::now();
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(TcpStream::connect(&authority).await.unwrap());
    }
    let half = &hello()[..7];
    silent[0].write_all(half).await.unwrap();
    for stream in &mut silent {
        assert!(says(&read_to_end(stream).await, "no hello"));
    }
    assert!(
        before.elapsed() < Duration::from_secs(15),
        "{:?}",
        before.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_that_never_reads_is_not_read_from_any_more() {
    let (authority, _shutdown) = start().await;
    let mut stream = TcpStream::connect(&authority).await.unwrap();
    stream.write_all(&hello()).await.unwrap();
    let frame = publish(1_000, 0);
    let mut taken = 0;
    while timeout(Duration::from_millis(300), stream.write_all(&frame))
        .await
        .is_ok()
    {
        taken += 1;
        assert!(
            taken < 2_000,
            "20 million results wait for a client that reads none"
        );
    }
    still_serves(&authority).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_that_never_reads_holds_no_more_than_its_outbox() {
    let (authority, _shutdown) = start().await;
    let driver = NativeDriver::new();
    let address = format!("standpipe://{authority}/t").parse().unwrap();
    let mut producer = driver.producer(&address).await.unwrap();
    let message = Message::new(vec![0; 64 << 10]);
    for _ in 0..10 {
        let results = producer.send(vec![message.clone(); 100]).await;
        assert!(results.iter().all(Result::is_ok));
    }
    let mut open = Open::new("t");
    open.credit.messages = u64::MAX;
    let mut stream = TcpStream::connect(&authority).await.unwrap();
    stream.write_all(&hello()).await.unwrap();
    stream
        .write_all(&encoded(&ClientFrame::Open(open)))
        .await
        .unwrap();
    let admin = driver.admin(&address).await.unwrap();
    let mut leased = 0;
    let mut looks = tokio::time::interval(Duration::from_millis(100));
    loop {
        looks.tick().await;
        let described = admin.describe("t").await.unwrap();
        let now = described
            .subscriptions
            .first()
            .map_or(0, |queue| queue.leased);
        if now == leased && now > 0 {
            break;
        }
        leased = now;
    }
    assert!(
        leased < 800,
        "{leased} of 1000 messages of 64 KiB are with a client that reads none"
    );
    still_serves(&authority).await;
}
