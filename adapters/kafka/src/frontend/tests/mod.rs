//! A frontend over a broker in memory, spoken to octet by octet.

mod commits;
mod described;
mod epochs;
mod fetches;
mod holes;
mod intake;
mod latest;
mod lines;
mod named;
mod offsets;
mod outlet;
mod partitions;
mod records;
mod retention;
mod sessions;
mod settings;
mod times;
mod topics;
mod trimmed;
mod turns;
mod unread;
mod workers;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::{Buf, Bytes, BytesMut};
use standpipe_core::{
    broker::{Broker, LaneId, Limits, Options, Publish, Target},
    checksum::crc32c,
    codec::Codecs,
    frontend::Frontend,
    id::{Millis, Offset},
    message::Message,
    native::NativeCodec,
    store::{MemoryStore, Store},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

use super::{
    AutoCreate, KafkaFrontend, KafkaOptions,
    service::{Client, NAMESPACE, Service},
};
use crate::codec::{
    Reader, Wire, Writer,
    api::{ApiKey, api_versions::*, fetch::*, list_offsets::*, metadata::*, produce::*},
    error_code::ErrorCode,
    records::{BatchBuilder, record_of},
};

struct Served {
    broker: Broker,
    store: Arc<MemoryStore>,
    address: SocketAddr,
    stop: CancellationToken,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn served() -> Served {
    served_with(KafkaOptions::default()).await
}

async fn served_with(options: KafkaOptions) -> Served {
    let store = Arc::new(MemoryStore::new());
    let broker = opened(store.clone(), Options::default()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let frontend = Arc::new(KafkaFrontend::new().options(options));
    tokio::spawn(frontend.serve(listener, broker.clone(), stop.clone()));
    Served {
        broker,
        store,
        address,
        stop,
    }
}

/// A broker that reads Kafka's batches.
async fn opened(store: Arc<dyn Store>, options: Options) -> Broker {
    let mut codecs = Codecs::default();
    crate::codec::register(&mut codecs);
    Broker::open(store, codecs, options).await.unwrap()
}

/// A client of a broker with these limits and the topic `t`.
async fn within(limits: Limits) -> Client {
    let options = Options {
        limits,
        ..Options::default()
    };
    let broker = opened(Arc::new(MemoryStore::new()), options).await;
    broker.ensure_topic(NAMESPACE, "t").await.unwrap();
    connected(broker).await
}

/// A connection to a broker, as those see it who answer its requests.
async fn connected(broker: Broker) -> Client {
    let service = Service::open(broker, KafkaFrontend::new()).await.unwrap();
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
    Client {
        service: Arc::new(service),
        local: nowhere,
        peer: nowhere,
        gone: CancellationToken::new(),
    }
}

fn request(key: ApiKey, version: i16, body: &impl Wire) -> Bytes {
    let mut writer = Writer::new(false);
    writer.put(&key.number().to_be_bytes());
    writer.put(&version.to_be_bytes());
    writer.put(&7i32.to_be_bytes());
    Some("test".to_owned()).write(&mut writer, 0);
    writer.set_flexible(key.is_flexible(version));
    writer.put_no_tags();
    body.write(&mut writer, version);
    let body = writer.finish();
    let mut sized = BytesMut::from(&(body.len() as u32).to_be_bytes()[..]);
    sized.extend_from_slice(&body);
    sized.freeze()
}

async fn response(socket: &mut (impl AsyncReadExt + Unpin)) -> Bytes {
    let size = socket.read_i32().await.unwrap();
    let mut octets = vec![0; size as usize];
    socket.read_exact(&mut octets).await.unwrap();
    octets.into()
}

async fn ask<T: Wire>(socket: &mut TcpStream, key: ApiKey, version: i16, body: &impl Wire) -> T {
    socket
        .write_all(&request(key, version, body))
        .await
        .unwrap();
    let mut octets = response(socket).await;
    assert_eq!(octets.get_i32(), 7, "the correlation id");
    let flexible = key.is_flexible(version);
    let mut reader = Reader::new(octets, flexible);
    if key != ApiKey::ApiVersions {
        reader.skip_tags().unwrap();
    }
    let read = T::read(&mut reader, version).unwrap();
    assert_eq!(reader.remaining(), 0, "nothing is left of the response");
    read
}

fn batch(values: &[&'static str], stamp: Option<(i64, i32)>) -> Bytes {
    let mut builder = BatchBuilder::new(Offset(0), 0);
    for (offset, value) in values.iter().enumerate() {
        let (record, _) = record_of(&Message::new(*value));
        builder.push(Offset(offset as u64), Millis(1000 + offset as i64), record);
    }
    let mut out = BytesMut::new();
    builder.finish(Offset(values.len() as u64), &mut out);
    if let Some((id, sequence)) = stamp {
        out[43..51].copy_from_slice(&id.to_be_bytes());
        out[51..53].copy_from_slice(&0i16.to_be_bytes());
        out[53..57].copy_from_slice(&sequence.to_be_bytes());
        let crc = crc32c(&out[21..]);
        out[17..21].copy_from_slice(&crc.to_be_bytes());
    }
    out.freeze()
}

fn produce(topic: &str, records: Bytes) -> ProduceRequest {
    ProduceRequest {
        acks: -1,
        timeout_ms: 10_000,
        topics: vec![TopicProduce {
            name: topic.into(),
            partitions: vec![PartitionProduce {
                index: 0,
                records: Some(records),
            }],
        }],
        ..Default::default()
    }
}

async fn produced(socket: &mut TcpStream, topic: &str, records: Bytes) -> PartitionProduced {
    let request = produce(topic, records);
    let response: ProduceResponse = ask(socket, ApiKey::Produce, 11, &request).await;
    response.responses[0].partitions[0].clone()
}

fn fetch(topic: &str, offset: i64, max_wait_ms: i32) -> FetchRequest {
    FetchRequest {
        max_wait_ms,
        min_bytes: 1,
        topics: vec![FetchTopic {
            topic: topic.into(),
            partitions: vec![FetchPartition {
                fetch_offset: offset,
                partition_max_bytes: 1 << 20,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

async fn fetched(socket: &mut TcpStream, request: &FetchRequest) -> FetchedPartition {
    let response: FetchResponse = ask(socket, ApiKey::Fetch, 12, request).await;
    response.responses[0].partitions[0].clone()
}

#[tokio::test]
async fn an_unknown_version_of_api_versions_is_answered_in_version_0() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    let asked = b"\0\0\0\x0c\0\x12\0\x63\0\0\0\x09\xff\xff\0\0";
    socket.write_all(asked).await.unwrap();
    let mut octets = response(&mut socket).await;
    assert_eq!(octets.get_i32(), 9);
    let answer = ApiVersionsResponse::read(&mut Reader::new(octets, false), 0).unwrap();
    assert_eq!(answer.error_code, ErrorCode::UnsupportedVersion.number());
    let produce = answer.api_keys.iter().find(|api| api.api_key == 0).unwrap();
    assert_eq!((produce.min_version, produce.max_version), (0, 12));
}

#[tokio::test]
async fn what_was_produced_is_fetched_verbatim_from_inside_a_batch_too() {
    let served = served().await;
    served.broker.ensure_topic(NAMESPACE, "t").await.unwrap();
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    let sent = batch(&["a", "b", "c"], None);
    let first = produced(&mut socket, "t", sent.clone()).await;
    assert_eq!((first.error_code, first.base_offset), (0, 0));
    assert_eq!(
        produced(&mut socket, "t", sent.clone()).await.base_offset,
        3
    );
    let inside = fetched(&mut socket, &fetch("t", 4, 0)).await;
    assert_eq!(inside.high_watermark, 6);
    let records = inside.records.unwrap();
    assert_eq!(records[..8], 3u64.to_be_bytes());
    assert_eq!(records[16..], sent[16..]);
    let beyond = fetched(&mut socket, &fetch("t", 7, 0)).await;
    assert_eq!(beyond.error_code, ErrorCode::OffsetOutOfRange.number());
}

#[tokio::test]
async fn a_repeated_batch_is_answered_with_its_first_place_and_a_gap_is_refused() {
    let served = served().await;
    served.broker.ensure_topic(NAMESPACE, "t").await.unwrap();
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    let asked = InitProducerIdRequest::default();
    let id: InitProducerIdResponse = ask(&mut socket, ApiKey::InitProducerId, 4, &asked).await;
    assert_eq!((id.error_code, id.producer_epoch), (0, 0));
    let stamped = |sequence| batch(&["a", "b"], Some((id.producer_id, sequence)));
    assert_eq!(produced(&mut socket, "t", stamped(0)).await.base_offset, 0);
    assert_eq!(produced(&mut socket, "t", stamped(2)).await.base_offset, 2);
    assert_eq!(produced(&mut socket, "t", stamped(0)).await.base_offset, 0);
    let gap = produced(&mut socket, "t", stamped(9)).await;
    assert_eq!(gap.error_code, ErrorCode::OutOfOrderSequenceNumber.number());
    let transactional = InitProducerIdRequest {
        transactional_id: Some("t".into()),
        ..Default::default()
    };
    let no: InitProducerIdResponse =
        ask(&mut socket, ApiKey::InitProducerId, 4, &transactional).await;
    assert_eq!(
        no.error_code,
        ErrorCode::TransactionalIdAuthorizationFailed.number()
    );
}

#[tokio::test]
async fn a_fetch_at_the_end_waits_for_what_another_protocol_publishes() {
    let served = served().await;
    served.broker.ensure_topic(NAMESPACE, "t").await.unwrap();
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    socket
        .write_all(&request(ApiKey::Fetch, 12, &fetch("t", 0, 60_000)))
        .await
        .unwrap();
    let message = Message::new("x").with_key("k").with_header("a", "1");
    let published = served.broker.publish(Publish {
        namespace: NAMESPACE,
        target: Target::Topic("t"),
        draft: NativeCodec::encode(&message),
        key: None,
        lane: LaneId(0),
        durability: None,
        admission: served.broker.admit(1).await.unwrap(),
    });
    published.unwrap().confirm.wait().await.unwrap();
    let mut octets = response(&mut socket).await;
    octets.advance(5);
    let answer = FetchResponse::read(&mut Reader::new(octets, true), 12).unwrap();
    let records = answer.responses[0].partitions[0].records.clone().unwrap();
    let draft = crate::codec::records::check(&records).unwrap();
    assert_eq!(draft.visible, 1);
}

#[tokio::test]
async fn offsets_are_listed_by_time() {
    let served = served().await;
    served.broker.ensure_topic(NAMESPACE, "t").await.unwrap();
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    produced(&mut socket, "t", batch(&["a", "b", "c"], None)).await;
    for (at, expected) in [
        (-1, (3, -1)),
        (-2, (0, -1)),
        (-3, (2, 1002)),
        (1001, (1, 1001)),
        (1003, (-1, -1)),
    ] {
        let asked = ListOffsetsRequest {
            topics: vec![ListTopic {
                name: "t".into(),
                partitions: vec![ListPartition {
                    timestamp: at,
                    ..Default::default()
                }],
            }],
            ..Default::default()
        };
        let listed: ListOffsetsResponse = ask(&mut socket, ApiKey::ListOffsets, 8, &asked).await;
        let found = &listed.topics[0].partitions[0];
        assert_eq!((found.offset, found.timestamp), expected, "at {at}");
    }
}

#[tokio::test]
async fn metadata_creates_what_is_missing_only_where_allowed() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    for (name, allow, code) in [
        ("new", false, ErrorCode::UnknownTopicOrPartition),
        ("new", true, ErrorCode::None),
        ("no/name", true, ErrorCode::InvalidTopic),
    ] {
        let asked = MetadataRequest {
            topics: Some(vec![TopicAsked {
                name: Some(name.into()),
                ..Default::default()
            }]),
            allow_auto_topic_creation: allow,
            ..Default::default()
        };
        let said: MetadataResponse = ask(&mut socket, ApiKey::Metadata, 12, &asked).await;
        assert_eq!(said.topics[0].error_code, code.number(), "{name} {allow}");
        assert_eq!(said.brokers[0].port, i32::from(served.address.port()));
    }
}

#[tokio::test]
async fn no_topic_comes_into_being_where_the_broker_does_not_allow_it() {
    let options = KafkaOptions {
        auto_create: AutoCreate::Off,
        ..KafkaOptions::default()
    };
    let served = served_with(options).await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    let asked = MetadataRequest {
        topics: Some(vec![TopicAsked {
            name: Some("new".into()),
            ..Default::default()
        }]),
        allow_auto_topic_creation: true,
        ..Default::default()
    };
    let said: MetadataResponse = ask(&mut socket, ApiKey::Metadata, 12, &asked).await;
    let expected = ErrorCode::UnknownTopicOrPartition.number();
    assert_eq!(said.topics[0].error_code, expected);
    retention::create(&mut socket, "new", &[]).await;
    let said: MetadataResponse = ask(&mut socket, ApiKey::Metadata, 12, &asked).await;
    assert_eq!(said.topics[0].error_code, 0);
}

/// Whether the frontend closes the connection once this was sent.
async fn is_closed_after(address: SocketAddr, octets: &[u8]) -> bool {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(octets).await.unwrap();
    let closed = async { matches!(socket.read(&mut [0; 16]).await, Ok(0) | Err(_)) };
    tokio::time::timeout(Duration::from_secs(5), closed)
        .await
        .unwrap_or(false)
}

#[tokio::test]
async fn what_cannot_be_answered_closes_the_connection() {
    let served = served().await;
    for octets in [
        &b"\x7f\xff\xff\xff"[..],
        b"\x80\0\0\0",
        b"\0\0\0\x0c\0\x18\0\0\0\0\0\x01\0\0\0\0",
        b"\0\0\0\x0c\0\x03\0\x63\0\0\0\x01\0\0\0\0",
        b"GET / HTTP/1.1\r\n\r\n",
    ] {
        assert!(is_closed_after(served.address, octets).await, "{octets:?}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_anywhere_in_a_produce_harms_nobody() {
    let served = served().await;
    served.broker.ensure_topic(NAMESPACE, "t").await.unwrap();
    let whole = request(ApiKey::Produce, 11, &produce("t", batch(&["a"], None)));
    for end in 0..whole.len() {
        let mut socket = TcpStream::connect(served.address).await.unwrap();
        socket.write_all(&whole[..end]).await.unwrap();
    }
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    assert_eq!(
        produced(&mut socket, "t", batch(&["a"], None))
            .await
            .base_offset,
        0
    );
}
