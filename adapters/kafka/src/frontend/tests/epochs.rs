//! Leader epochs on the wire; the store in memory has the one epoch 0.

use super::*;

const UNKNOWN: ErrorCode = ErrorCode::UnknownLeaderEpoch;

async fn served_with_messages() -> (Served, TcpStream) {
    let served = served().await;
    served.broker.ensure_topic(NAMESPACE, "t").await.unwrap();
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    produced(&mut socket, "t", batch(&["a", "b"], None)).await;
    (served, socket)
}

async fn ended(socket: &mut TcpStream, topic: &str, epoch: i32, current: i32) -> EndedPartition {
    let asked = EpochsRequest {
        topics: vec![EpochTopic {
            topic: topic.into(),
            partitions: vec![EpochPartition {
                partition: 0,
                current_leader_epoch: current,
                leader_epoch: epoch,
            }],
        }],
        ..Default::default()
    };
    let key = ApiKey::OffsetForLeaderEpoch;
    let answer: EpochsResponse = ask(socket, key, 4, &asked).await;
    answer.topics[0].partitions[0].clone()
}

#[tokio::test]
async fn the_end_of_an_epoch_is_told_and_one_that_never_was_has_none() {
    let (_served, mut socket) = served_with_messages().await;
    for (epoch, end) in [(-1, (-1, -1)), (0, (0, 2)), (1, (-1, -1))] {
        let told = ended(&mut socket, "t", epoch, -1).await;
        assert_eq!(told.error_code, 0);
        assert_eq!((told.leader_epoch, told.end_offset), end, "{epoch}");
    }
    let ahead = ended(&mut socket, "t", 0, 9).await;
    assert_eq!((ahead.error_code, ahead.end_offset), (UNKNOWN.number(), -1));
    let missing = ended(&mut socket, "none", 0, -1).await;
    let expected = ErrorCode::UnknownTopicOrPartition.number();
    assert_eq!(missing.error_code, expected);
}

#[tokio::test]
async fn a_fetch_of_another_leader_epoch_is_refused() {
    let (_served, mut socket) = served_with_messages().await;
    for (current, code) in [(-1, 0), (0, 0), (9, UNKNOWN.number())] {
        let mut asked = fetch("t", 0, 0);
        asked.topics[0].partitions[0].current_leader_epoch = current;
        assert_eq!(fetched(&mut socket, &asked).await.error_code, code);
    }
}

/// A tagged field of a partition as Kafka's schema lays it out: one, of number 0, and its 13 octets.
fn diverging(epoch: i32, end: i64) -> Vec<u8> {
    let mut octets = vec![1, 0, 13];
    octets.extend(epoch.to_be_bytes());
    octets.extend(end.to_be_bytes());
    octets.push(0);
    octets
}

#[tokio::test]
async fn a_reader_whose_last_epoch_ended_before_its_offset_is_told_where_and_at_once() {
    let (_served, mut socket) = served_with_messages().await;
    let out_of_range = ErrorCode::OffsetOutOfRange.number();
    for (last, offset, code, is_told) in [
        (-1, 1, 0, false),
        (0, 1, 0, false),
        (0, 2, 0, false),
        (0, 3, 0, true),
        (-1, 3, out_of_range, false),
        (0, -1, out_of_range, false),
        (1, 1, out_of_range, false),
    ] {
        let mut asked = fetch("t", offset, if is_told { 60_000 } else { 0 });
        asked.topics[0].partitions[0].last_fetched_epoch = last;
        let asked = request(ApiKey::Fetch, 12, &asked);
        socket.write_all(&asked).await.unwrap();
        let answered = tokio::time::timeout(Duration::from_secs(5), response(&mut socket)).await;
        let octets = answered.expect("it does not wait");
        let field = diverging(0, 2);
        let mut parts = octets.windows(field.len());
        assert_eq!(parts.any(|part| part == field), is_told, "{last} {offset}");
        // Behind the correlation id and the header's tags.
        let mut reader = Reader::new(octets.slice(5..), true);
        let answer = FetchResponse::read(&mut reader, 12).unwrap();
        let told = &answer.responses[0].partitions[0];
        assert_eq!(told.error_code, code, "{last} {offset}");
        assert!(!is_told || told.records == Some(Bytes::new()));
    }
}

#[tokio::test]
async fn offsets_are_listed_with_their_epoch_and_unknown_questions_refused() {
    let (_served, mut socket) = served_with_messages().await;
    for (timestamp, current, expected) in [
        (-1, 0, (0, 2, 0)),
        (-2, -1, (0, 0, 0)),
        (1001, -1, (0, 1, 0)),
        (-1, 9, (UNKNOWN.number(), -1, -1)),
        (-6, -1, (ErrorCode::UnsupportedVersion.number(), -1, -1)),
    ] {
        let asked = ListOffsetsRequest {
            topics: vec![ListTopic {
                name: "t".into(),
                partitions: vec![ListPartition {
                    timestamp,
                    current_leader_epoch: current,
                    ..Default::default()
                }],
            }],
            ..Default::default()
        };
        let answer: ListOffsetsResponse = ask(&mut socket, ApiKey::ListOffsets, 9, &asked).await;
        let told = &answer.topics[0].partitions[0];
        let told = (told.error_code, told.offset, told.leader_epoch);
        assert_eq!(told, expected, "{timestamp} {current}");
    }
}

#[tokio::test]
async fn metadata_tells_the_epoch() {
    let (_served, mut socket) = served_with_messages().await;
    let asked = MetadataRequest::default();
    let answer: MetadataResponse = ask(&mut socket, ApiKey::Metadata, 9, &asked).await;
    assert_eq!(answer.topics[0].partitions[0].leader_epoch, 0);
}
