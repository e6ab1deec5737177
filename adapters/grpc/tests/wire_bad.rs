//! What a hostile or broken client does to the gRPC listener, and what it does not.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{io, sync::Arc, time::Duration};

use standpipe_core::{
    broker::{Broker, Options},
    codec::Codecs,
    driver::{Driver, NewTopic},
    frontend::Frontend as _,
    message::Message,
    store::MemoryStore,
};
use standpipe_grpc::{
    GrpcDriver, GrpcFrontend,
    proto::{
        Credit, Delivery, ListTopicsRequest, ListTopicsResponse, Publication, PublishRequest, Seek,
        Settle, Settlement, SubscribeOpen, SubscribeRequest, standpipe_client::StandpipeClient,
        subscribe_request::Request,
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, Streaming, codegen::http::uri::PathAndQuery, transport::Channel};

const SOON: Duration = Duration::from_secs(20);
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

async fn start() -> (String, CancellationToken) {
    let store = Arc::new(MemoryStore::new());
    let broker = Broker::open(store, Codecs::default(), Options::default()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    let shutdown = CancellationToken::new();
    tokio::spawn(Arc::new(GrpcFrontend).serve(listener, broker.unwrap(), shutdown.clone()));
    (authority, shutdown)
}

async fn client(authority: &str) -> StandpipeClient<Channel> {
    StandpipeClient::connect(format!("http://{authority}"))
        .await
        .unwrap()
}

async fn read_to_end(stream: &mut TcpStream) {
    let mut received = Vec::new();
    match timeout(SOON, stream.read_to_end(&mut received)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => {}
        Ok(Err(error)) => panic!("{error}"),
        Err(_) => panic!("the connection is still open"),
    }
}

async fn send_and_read_to_end(authority: &str, octets: &[u8]) {
    let mut stream = TcpStream::connect(authority).await.unwrap();
    let _ = stream.write_all(octets).await;
    let _ = stream.shutdown().await;
    read_to_end(&mut stream).await;
}

/// Another client's publish is confirmed.
async fn still_serves(authority: &str) {
    let address = format!("grpc://{authority}/other").parse().unwrap();
    let mut producer = GrpcDriver::new().producer(&address).await.unwrap();
    let confirmed = timeout(
        Duration::from_secs(1),
        producer.send(vec![Message::new("x")]),
    );
    assert!(confirmed.await.unwrap()[0].is_ok());
}

fn ask(request: Request) -> SubscribeRequest {
    SubscribeRequest {
        request: Some(request),
    }
}

fn open(topic: &str) -> SubscribeRequest {
    ask(Request::Open(SubscribeOpen {
        topic: topic.to_owned(),
        ..SubscribeOpen::default()
    }))
}

/// What a subscribe stream ends with, given these requests.
async fn subscribe(authority: &str, requests: Vec<SubscribeRequest>) -> Option<Status> {
    let requests = tokio_stream::iter(requests);
    let called = client(authority).await.subscribe(requests).await.unwrap();
    let mut deliveries = called.into_inner();
    loop {
        match timeout(SOON, deliveries.message()).await.unwrap() {
            Ok(Some(Delivery { .. })) => {}
            Ok(None) => return None,
            Err(status) => return Some(status),
        }
    }
}

#[tokio::test]
async fn a_preface_cut_at_any_octet_ends_the_connection() {
    let (authority, _shutdown) = start().await;
    for end in 0..PREFACE.len() {
        send_and_read_to_end(&authority, &PREFACE[..end]).await;
    }
    still_serves(&authority).await;
}

#[tokio::test]
async fn random_octets_end_the_connection() {
    let (authority, _shutdown) = start().await;
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    for round in 0..100 {
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
            _ => [PREFACE, &octets].concat(),
        };
        send_and_read_to_end(&authority, &octets).await;
    }
    still_serves(&authority).await;
}

#[tokio::test(start_paused = true)]
async fn connections_without_a_preface_are_closed_after_ten_seconds() {
    let (authority, _shutdown) = start().await;
    let before = Instant::now();
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(TcpStream::connect(&authority).await.unwrap());
    }
    silent[0].write_all(&PREFACE[..9]).await.unwrap();
    for stream in &mut silent {
        read_to_end(stream).await;
    }
    assert!(
        before.elapsed() < Duration::from_secs(15),
        "{:?}",
        before.elapsed()
    );
}

#[tokio::test]
async fn a_bad_request_ends_its_stream_with_the_reason() {
    let (authority, _shutdown) = start().await;
    let credit = ask(Request::Credit(Credit::default()));
    let bad_receipt = ask(Request::Settle(Settle {
        sequence: 1,
        settlements: vec![Settlement::default()],
    }));
    let cases = [
        (vec![credit], "must be `open`"),
        (vec![open("")], "names no topic"),
        (vec![open("t"), open("t")], "second open"),
        (
            vec![open("t"), SubscribeRequest::default()],
            "asks for nothing",
        ),
        (vec![open("t"), bad_receipt], "a receipt has 20 octets"),
    ];
    for (requests, words) in cases {
        let status = subscribe(&authority, requests).await.expect(words);
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        assert!(status.message().contains(words), "{status}");
    }
    still_serves(&authority).await;
}

#[tokio::test]
async fn a_publish_without_a_destination_is_refused_while_the_stream_is_open() {
    let (authority, _shutdown) = start().await;
    let (sender, requests) = tokio::sync::mpsc::channel(4);
    let requests = tokio_stream::wrappers::ReceiverStream::new(requests);
    sender.send(PublishRequest::default()).await.unwrap();
    let called = client(&authority).await.publish(requests).await.unwrap();
    let status = timeout(SOON, called.into_inner().message()).await.unwrap();
    assert_eq!(status.unwrap_err().code(), Code::InvalidArgument);
    drop(sender);
}

#[tokio::test]
async fn a_request_above_the_limit_ends_its_stream_only() {
    let (authority, _shutdown) = start().await;
    let message = standpipe_grpc::proto::Message {
        payload: Some(vec![0; 18 << 20].into()),
        ..Default::default()
    };
    let request = PublishRequest {
        destination: "/t".to_owned(),
        durability: 0,
        messages: vec![Publication {
            sequence: 0,
            message: Some(message),
        }],
    };
    let mut client = client(&authority)
        .await
        .max_encoding_message_size(usize::MAX);
    let called = client.publish(tokio_stream::iter([request])).await.unwrap();
    let status = timeout(SOON, called.into_inner().message()).await.unwrap();
    assert_eq!(status.unwrap_err().code(), Code::OutOfRange);
    still_serves(&authority).await;
}

#[tokio::test]
async fn a_request_of_4097_messages_ends_its_stream_only_and_one_of_4096_is_answered() {
    let (authority, _shutdown) = start().await;
    let request = |count| PublishRequest {
        destination: "/t".to_owned(),
        durability: 0,
        messages: vec![Publication::default(); count],
    };
    let mut client = client(&authority).await;
    let requests = tokio_stream::iter([request(4096)]);
    let mut results = client.publish(requests).await.unwrap().into_inner();
    for _ in 0..4096 {
        let result = timeout(SOON, results.message()).await.unwrap();
        assert!(result.unwrap().is_some());
    }
    let requests = tokio_stream::iter([request(4097)]);
    let mut results = client.publish(requests).await.unwrap().into_inner();
    let status = timeout(SOON, results.message()).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange);
    assert!(status.message().contains("4096"), "{status}");
    let requests = tokio_stream::iter([request(1)]);
    let mut results = client.publish(requests).await.unwrap().into_inner();
    let result = timeout(SOON, results.message()).await.unwrap();
    assert!(result.unwrap().is_some());
}

/// Octets that a server may send unasked: the smallest that every client has.
const WINDOW: u32 = 65_535;

/// A connection whose answers find no more room than that.
async fn small_windows(authority: &str) -> Channel {
    let endpoint = Channel::from_shared(format!("http://{authority}")).unwrap();
    let endpoint = endpoint.initial_stream_window_size(WINDOW);
    endpoint.connect().await.unwrap()
}

/// Asks for a list with these requests, of which there is one, and reads none of it.
async fn list_unread(
    authority: &str,
    requests: impl tokio_stream::Stream<Item = ListTopicsRequest> + Send + 'static,
) -> Streaming<ListTopicsResponse> {
    let mut client = tonic::client::Grpc::new(small_windows(authority).await);
    client.ready().await.unwrap();
    let path = PathAndQuery::from_static("/standpipe.v1.Standpipe/ListTopics");
    let codec = tonic_prost::ProstCodec::<ListTopicsRequest, ListTopicsResponse>::default();
    let requests = tonic::Request::new(requests);
    let listed = client.streaming(requests, path, codec).await;
    listed.unwrap().into_inner()
}

#[tokio::test]
async fn lists_whose_requests_do_not_come_keep_nobody_waiting() {
    let (authority, _shutdown) = start().await;
    let never = || list_unread(&authority, tokio_stream::pending());
    let mut unsent = std::pin::pin!(async { tokio::join!(never(), never(), never(), never()) });
    let waits = timeout(Duration::from_millis(200), &mut unsent).await;
    assert!(waits.is_err(), "a list was made without a request");
    let address = format!("grpc://{authority}/t").parse().unwrap();
    let admin = GrpcDriver::new().admin(&address).await.unwrap();
    timeout(SOON, admin.list()).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishers_that_never_read_have_room_for_16384_messages_a_connection() {
    let (authority, _shutdown) = start().await;
    let mut client = StandpipeClient::new(small_windows(&authority).await);
    let mut unread = Vec::new();
    for _ in 0..20 {
        let request = || PublishRequest {
            destination: "/t".to_owned(),
            durability: 0,
            messages: vec![Publication::default(); 4096],
        };
        let requests = tokio_stream::StreamExt::map(tokio_stream::iter(0..40), move |_| request());
        unread.push(client.publish(requests).await.unwrap());
    }
    let address = format!("grpc://{authority}/t").parse().unwrap();
    let admin = GrpcDriver::new().admin(&address).await.unwrap();
    let mut taken = 0;
    let mut looks = tokio::time::interval(Duration::from_millis(300));
    loop {
        looks.tick().await;
        let Ok(topic) = admin.describe("t").await else {
            continue;
        };
        let now: u64 = topic.partitions.iter().map(|partition| partition.end).sum();
        if now == taken && now > 0 {
            break;
        }
        taken = now;
    }
    assert!(
        taken < 300_000,
        "{taken} messages are taken from a client that reads no results"
    );
    still_serves(&authority).await;
}

#[tokio::test]
async fn four_lists_that_are_not_read_are_all_that_are_made() {
    let (authority, _shutdown) = start().await;
    let address = format!("grpc://{authority}/t").parse().unwrap();
    let admin = GrpcDriver::new().admin(&address).await.unwrap();
    for number in 0..2 * WINDOW / 240 {
        let topic = NewTopic {
            name: format!("{number}-{}", "t".repeat(240)),
            partitions: None,
            retention: None,
            durability: None,
        };
        admin.create(topic).await.unwrap();
    }
    let mut unread = Vec::new();
    for _ in 0..4 {
        let request = tokio_stream::iter([ListTopicsRequest {}]);
        unread.push(
            timeout(SOON, list_unread(&authority, request))
                .await
                .unwrap(),
        );
    }
    let mut fifth = std::pin::pin!(admin.list());
    let waits = timeout(Duration::from_millis(200), &mut fifth).await;
    assert!(waits.is_err(), "a fifth list was made");
    still_serves(&authority).await;
    unread.pop();
    let listed = timeout(SOON, fifth).await.unwrap().unwrap();
    assert!(listed.len() > 500);
}

#[tokio::test]
async fn a_seek_in_lease_mode_is_answered_with_an_error_and_the_stream_goes_on() {
    let (authority, _shutdown) = start().await;
    let seek = ask(Request::Seek(Seek {
        sequence: 7,
        ..Seek::default()
    }));
    let requests = tokio_stream::iter([open("t"), seek]);
    let called = client(&authority).await.subscribe(requests).await.unwrap();
    let mut deliveries = called.into_inner();
    let mut answers = Vec::new();
    while let Some(delivery) = timeout(SOON, deliveries.message()).await.unwrap().unwrap() {
        answers.extend(delivery.event);
    }
    let [_, standpipe_grpc::proto::delivery::Event::Sought(sought)] = &answers[..] else {
        panic!("{answers:?}");
    };
    assert_eq!(sought.sequence, 7);
    assert_eq!(
        sought.error.as_ref().unwrap().code(),
        standpipe_grpc::proto::ErrorCode::Unsupported
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_that_never_reads_holds_no_more_than_its_outbox() {
    let (authority, _shutdown) = start().await;
    let driver = GrpcDriver::new();
    let address = format!("grpc://{authority}/t").parse().unwrap();
    let mut producer = driver.producer(&address).await.unwrap();
    let message = Message::new(vec![0; 64 << 10]);
    for _ in 0..10 {
        let results = producer.send(vec![message.clone(); 100]).await;
        assert!(results.iter().all(Result::is_ok));
    }
    let open = ask(Request::Open(SubscribeOpen {
        topic: "t".to_owned(),
        credit: Some(Credit {
            messages: u64::MAX,
            bytes: None,
        }),
        ..SubscribeOpen::default()
    }));
    let (sender, requests) = tokio::sync::mpsc::channel(4);
    sender.send(open).await.unwrap();
    let requests = tokio_stream::wrappers::ReceiverStream::new(requests);
    let _unread = client(&authority).await.subscribe(requests).await.unwrap();
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

#[tokio::test]
async fn health_and_reflection_answer() {
    use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest,
    };
    let (authority, _shutdown) = start().await;
    let channel = Channel::from_shared(format!("http://{authority}")).unwrap();
    let channel = channel.connect().await.unwrap();
    let request = HealthCheckRequest {
        service: "standpipe.v1.Standpipe".to_owned(),
    };
    let health = HealthClient::new(channel.clone())
        .check(request)
        .await
        .unwrap();
    assert_eq!(health.into_inner().status, 1);
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = ServerReflectionClient::new(channel);
    let called = client
        .server_reflection_info(tokio_stream::iter([request]))
        .await;
    let answer = called
        .unwrap()
        .into_inner()
        .message()
        .await
        .unwrap()
        .unwrap();
    assert!(
        format!("{answer:?}").contains("standpipe.v1.Standpipe"),
        "{answer:?}"
    );
}
