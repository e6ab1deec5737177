//! What was answered before its sync, with acks = 1, as requests see it that follow.

use super::*;
use crate::codec::api::delete_records::*;

async fn produced_at_once(socket: &mut TcpStream) {
    let mut request = produce("t", batch(&["a"], None));
    request.acks = 1;
    let answer: ProduceResponse = ask(socket, ApiKey::Produce, 11, &request).await;
    assert_eq!(answer.responses[0].partitions[0].error_code, 0);
}

/// Asks for one offset of `t`.
pub(super) fn at(timestamp: i64) -> ListOffsetsRequest {
    ListOffsetsRequest {
        topics: vec![ListTopic {
            name: "t".into(),
            partitions: vec![ListPartition {
                timestamp,
                ..Default::default()
            }],
        }],
        ..Default::default()
    }
}

pub(super) async fn listed(socket: &mut TcpStream, timestamp: i64) -> i64 {
    let told: ListOffsetsResponse = ask(socket, ApiKey::ListOffsets, 9, &at(timestamp)).await;
    told.topics[0].partitions[0].offset
}

#[tokio::test]
async fn the_latest_offset_counts_what_was_answered_before_its_sync() {
    let served = served().await;
    served.broker.ensure_topic(NAMESPACE, "t").await.unwrap();
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    for count in 1..=20 {
        produced_at_once(&mut socket).await;
        assert_eq!(listed(&mut socket, -1).await, count);
    }
}

/// By its time, and as the one with the largest (KIP-734); the batches are from the times 1000 and on.
#[tokio::test]
async fn an_offset_by_time_counts_it_too() {
    for timestamp in [1000, -3] {
        let served = served().await;
        served.broker.ensure_topic(NAMESPACE, "t").await.unwrap();
        let mut socket = TcpStream::connect(served.address).await.unwrap();
        assert_eq!(listed(&mut socket, timestamp).await, -1);
        produced_at_once(&mut socket).await;
        assert_eq!(listed(&mut socket, timestamp).await, 0, "at {timestamp}");
    }
}

#[tokio::test]
async fn a_fetch_sees_it_at_once() {
    let served = served().await;
    served.broker.ensure_topic(NAMESPACE, "t").await.unwrap();
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    for count in 1..=20 {
        produced_at_once(&mut socket).await;
        let seen = fetched(&mut socket, &fetch("t", count - 1, 0)).await;
        assert_eq!((seen.error_code, seen.high_watermark), (0, count));
        assert!(!seen.records.unwrap_or_default().is_empty(), "{count}");
    }
}

#[tokio::test]
async fn a_fetch_behind_it_waits_and_is_not_out_of_range() {
    let served = served().await;
    served.broker.ensure_topic(NAMESPACE, "t").await.unwrap();
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    for count in 1..=20 {
        produced_at_once(&mut socket).await;
        let behind = fetched(&mut socket, &fetch("t", count, 0)).await;
        assert_eq!((behind.error_code, behind.records), (0, Some(Bytes::new())));
    }
    let beyond = fetched(&mut socket, &fetch("t", 21, 0)).await;
    assert_eq!(beyond.error_code, ErrorCode::OffsetOutOfRange.number());
}

#[tokio::test]
async fn it_can_be_deleted() {
    let served = served().await;
    served.broker.ensure_topic(NAMESPACE, "t").await.unwrap();
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    for offset in 1..=20 {
        produced_at_once(&mut socket).await;
        let asked = DeleteRecordsRequest {
            topics: vec![ShortenTopic {
                name: "t".into(),
                partitions: vec![ShortenPartition {
                    partition_index: 0,
                    offset,
                }],
            }],
            ..Default::default()
        };
        let key = ApiKey::DeleteRecords;
        let answer: DeleteRecordsResponse = ask(&mut socket, key, 2, &asked).await;
        let told = &answer.topics[0].partitions[0];
        assert_eq!((told.error_code, told.low_watermark), (0, offset));
    }
}
