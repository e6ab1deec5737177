//! What exists, as keys in the store: one key a topic, subscription, exchange, binding, producer.

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Mode, TopicSpec, queue::QueueDeclaration};
use crate::{
    error::{Error, ErrorKind, Result},
    id::{LogId, PartitionId, SubscriptionId, TopicId},
    store::{Expect, Op},
    wheel::{Bucket, bucket_log},
};

pub(super) const TOPICS: &[u8] = b"t/";
pub(super) const SUBSCRIPTIONS: &[u8] = b"s/";
pub(super) const EXCHANGES: &[u8] = b"x/";
pub(super) const BINDINGS: &[u8] = b"b/";
pub(super) const PRODUCERS: &[u8] = b"p/";
pub(super) const BUCKETS: &[u8] = b"d/";
pub(super) const COMPACTED: &[u8] = b"c/";
pub(super) const EPOCH: &[u8] = b"m/epoch";
pub(super) const PRODUCER_IDS: &[u8] = b"m/producer-ids";

/// A topic as stored.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TopicRecord {
    pub(super) id: TopicId,
    pub(super) spec: TopicSpec,
}

/// A subscription as stored.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SubscriptionRecord {
    pub(super) id: SubscriptionId,
    pub(super) topic: TopicId,
    pub(super) name: String,
    pub(super) mode: Mode,
    #[serde(default)]
    pub(super) queue: Option<QueueDeclaration>,
}

/// The topic that a store's key and value name; `None` for a key of anything else.
///
/// For tools that look at a store without opening a broker on it.
#[must_use]
pub fn stored_topic(key: &[u8], value: &[u8]) -> Option<(TopicId, TopicSpec)> {
    key.strip_prefix(TOPICS)?;
    let record: TopicRecord = serde_json::from_slice(value).ok()?;
    Some((record.id, record.spec))
}

/// A name within a namespace; neither holds a NUL octet, which separates them.
pub(super) fn named(prefix: &[u8], namespace: &str, name: &str) -> Bytes {
    let mut key = BytesMut::from(prefix);
    key.put_slice(namespace.as_bytes());
    key.put_u8(0);
    key.put_slice(name.as_bytes());
    key.freeze()
}

pub(super) fn subscription(topic: TopicId, name: &str) -> Bytes {
    let mut key = BytesMut::from(SUBSCRIPTIONS);
    key.put_slice(topic.0.as_bytes());
    key.put_slice(name.as_bytes());
    key.freeze()
}

pub(super) fn producer(log: LogId, id: i64) -> Bytes {
    let mut key = BytesMut::from(PRODUCERS);
    key.put_slice(log.topic.0.as_bytes());
    key.put_u32(log.partition.0);
    key.put_i64(id);
    key.freeze()
}

/// How far a log is compacted.
pub(super) fn compacted(log: LogId) -> Bytes {
    let mut key = BytesMut::from(COMPACTED);
    key.put_slice(log.topic.0.as_bytes());
    key.put_u32(log.partition.0);
    key.freeze()
}

/// Reads a key that [`producer`] made.
pub(super) fn parse_producer(key: &[u8]) -> Option<(LogId, i64)> {
    let (log, rest) = parse_log(key.strip_prefix(PRODUCERS)?)?;
    Some((log, i64::from_be_bytes(rest.try_into().ok()?)))
}

/// Reads a key that [`compacted`] made.
pub(super) fn parse_compacted(key: &[u8]) -> Option<LogId> {
    let (log, rest) = parse_log(key.strip_prefix(COMPACTED)?)?;
    rest.is_empty().then_some(log)
}

fn parse_log(key: &[u8]) -> Option<(LogId, &[u8])> {
    let (topic, rest) = key.split_first_chunk::<16>()?;
    let (partition, rest) = rest.split_first_chunk::<4>()?;
    let log = LogId {
        topic: TopicId(uuid::Uuid::from_bytes(*topic)),
        partition: PartitionId(u32::from_be_bytes(*partition)),
    };
    Some((log, rest))
}

/// A bucket comes into being; its log has this number.
pub(super) fn put_bucket(topic: TopicId, bucket: Bucket, number: u32) -> Op {
    Op::PutIf {
        key: bucket.key(BUCKETS, topic),
        expect: Expect::Any,
        value: Some(Bytes::copy_from_slice(&number.to_be_bytes())),
    }
}

/// A bucket goes, with its log.
pub(super) fn drop_bucket(topic: TopicId, bucket: Bucket, number: u32) -> [Op; 2] {
    let log = bucket_log(topic, number);
    [Op::DropLog { log }, remove(bucket.key(BUCKETS, topic))]
}

/// Reads what [`put_bucket`] wrote.
pub(super) fn read_bucket(key: &[u8], value: &[u8]) -> Result<(TopicId, Bucket, u32)> {
    let bucket = Bucket::parse(BUCKETS, key);
    let number = <[u8; 4]>::try_from(value).ok().map(u32::from_be_bytes);
    let (Some((topic, bucket)), Some(number)) = (bucket, number) else {
        let message = "the record of a bucket of delayed or expiring messages does not read";
        return Err(Error::new(ErrorKind::Corrupt, "open broker", message));
    };
    Ok((topic, bucket, number))
}

pub(super) fn put(key: Bytes, value: &impl Serialize) -> Op {
    let value = serde_json::to_vec(value).expect("records are plain data");
    Op::PutIf {
        key,
        expect: Expect::Any,
        value: Some(value.into()),
    }
}

pub(super) fn remove(key: Bytes) -> Op {
    Op::PutIf {
        key,
        expect: Expect::Any,
        value: None,
    }
}

pub(super) fn read<T: DeserializeOwned>(key: &[u8], value: &[u8]) -> Result<T> {
    serde_json::from_slice(value).map_err(|error| {
        let key = String::from_utf8_lossy(key);
        let message = format!("the record under `{key}` does not read: {error}");
        Error::new(ErrorKind::Corrupt, "open broker", message)
    })
}
