//! What an administrator asks about partitions: their beginning, their size, their copies.

use standpipe_core::broker::{Limits, Retention, TopicSpec};

use super::*;
use crate::codec::api::{delete_records::*, log_dirs::*, producers::*, replicas::*, topics::*};

async fn served_topic(retention: Retention) -> (Served, TcpStream) {
    let served = served().await;
    let mut spec = TopicSpec::new(NAMESPACE, "t");
    spec.retention = retention;
    served.broker.create_topic(spec).await.unwrap();
    let socket = TcpStream::connect(served.address).await.unwrap();
    (served, socket)
}

pub(super) async fn shortened(socket: &mut TcpStream, topic: &str, offset: i64) -> (i64, i16) {
    let asked = DeleteRecordsRequest {
        topics: vec![ShortenTopic {
            name: topic.into(),
            partitions: vec![ShortenPartition {
                partition_index: 0,
                offset,
            }],
        }],
        timeout_ms: 1000,
    };
    let said: DeleteRecordsResponse = ask(socket, ApiKey::DeleteRecords, 2, &asked).await;
    let partition = &said.topics[0].partitions[0];
    (partition.low_watermark, partition.error_code)
}

#[tokio::test]
async fn deleted_records_are_gone_for_every_reader_from_inside_a_batch_too() {
    let (served, mut socket) = served_topic(Retention::default()).await;
    produced(&mut socket, "t", batch(&["a", "b", "c"], None)).await;
    produced(&mut socket, "t", batch(&["d"], None)).await;
    assert_eq!(shortened(&mut socket, "t", 1).await, (1, 0));
    let before = fetched(&mut socket, &fetch("t", 0, 0)).await;
    assert_eq!(before.error_code, ErrorCode::OffsetOutOfRange.number());
    assert_eq!(before.log_start_offset, 1);
    let from = fetched(&mut socket, &fetch("t", 1, 0)).await;
    assert_eq!((from.error_code, from.log_start_offset), (0, 1));
    assert_eq!(shortened(&mut socket, "t", 0).await, (1, 0), "it stays");
    assert_eq!(shortened(&mut socket, "t", -1).await, (4, 0), "all");
    let topic = served.broker.topic(NAMESPACE, "t").unwrap();
    let bounds = topic.bounds(standpipe_core::id::PartitionId(0)).unwrap();
    assert_eq!((bounds.start, bounds.end), (Offset(4), Offset(4)));
    let next = produced(&mut socket, "t", batch(&["e"], None)).await;
    assert_eq!((next.base_offset, next.log_start_offset), (4, 4));
}

#[tokio::test]
async fn records_that_are_not_there_cannot_be_deleted() {
    let (_served, mut socket) = served_topic(Retention::default()).await;
    produced(&mut socket, "t", batch(&["a"], None)).await;
    for (topic, offset, code) in [
        ("t", 2, ErrorCode::OffsetOutOfRange),
        ("t", -2, ErrorCode::OffsetOutOfRange),
        ("other", 0, ErrorCode::UnknownTopicOrPartition),
    ] {
        let said = shortened(&mut socket, topic, offset).await;
        assert_eq!(said, (-1, code.number()), "{topic} {offset}");
    }
}

#[tokio::test]
async fn records_that_a_policy_promises_to_keep_cannot_be_deleted() {
    for retention in ["settled", "compact"] {
        let (_served, mut socket) = served_topic(retention.parse().unwrap()).await;
        let said = shortened(&mut socket, "t", 0).await;
        assert_eq!(
            said,
            (-1, ErrorCode::PolicyViolation.number()),
            "{retention}"
        );
    }
    let (_served, mut socket) = served_topic("compact,7d".parse().unwrap()).await;
    assert_eq!(shortened(&mut socket, "t", 0).await, (0, 0));
}

#[tokio::test]
async fn partitions_tell_their_size() {
    let (_served, mut socket) = served_topic(Retention::default()).await;
    let sent = batch(&["a", "b"], None);
    produced(&mut socket, "t", sent.clone()).await;
    produced(&mut socket, "t", sent.clone()).await;
    let some = vec![
        SizedTopic {
            topic: "t".into(),
            partitions: vec![0, 1],
        },
        SizedTopic {
            topic: "missing".into(),
            partitions: vec![0],
        },
    ];
    for topics in [None, Some(some)] {
        let asked = DescribeLogDirsRequest { topics };
        let said: DescribeLogDirsResponse =
            ask(&mut socket, ApiKey::DescribeLogDirs, 4, &asked).await;
        let [dir] = &said.results[..] else {
            panic!("one store: {said:?}");
        };
        let [topic] = &dir.topics[..] else {
            panic!("one topic: {dir:?}");
        };
        let sizes: Vec<_> = topic
            .partitions
            .iter()
            .map(|at| at.partition_size)
            .collect();
        assert_eq!(sizes, [2 * sent.len() as i64]);
    }
}

#[tokio::test]
async fn a_topic_grows_up_to_the_limit_of_all_partitions() {
    let limits = Limits {
        all_partitions: 3,
        ..Limits::default()
    };
    let client = within(limits).await;
    for (count, code) in [(4, ErrorCode::PolicyViolation), (3, ErrorCode::None)] {
        let asked = CreatePartitionsRequest {
            topics: vec![GrowTopic {
                name: "t".into(),
                count,
                ..Default::default()
            }],
            ..Default::default()
        };
        let said = crate::frontend::partitions::create(&client, asked).await;
        assert_eq!(said.results[0].error_code, code.number(), "{said:?}");
    }
}

#[tokio::test]
async fn no_leader_is_to_be_elected() {
    let (_served, mut socket) = served_topic(Retention::default()).await;
    let asked = |topic_partitions| ElectLeadersRequest {
        topic_partitions,
        ..Default::default()
    };
    let all: ElectLeadersResponse = ask(&mut socket, ApiKey::ElectLeaders, 2, &asked(None)).await;
    assert_eq!(all, ElectLeadersResponse::default());
    let named = vec![TopicPartitions {
        topic: "t".into(),
        partitions: vec![0, 1],
    }];
    let said: ElectLeadersResponse =
        ask(&mut socket, ApiKey::ElectLeaders, 2, &asked(Some(named))).await;
    let partitions = said.replica_election_results[0].partition_result.iter();
    let codes: Vec<_> = partitions.map(|partition| partition.error_code).collect();
    let expected = [
        ErrorCode::ElectionNotNeeded,
        ErrorCode::UnknownTopicOrPartition,
    ];
    assert_eq!(codes, expected.map(ErrorCode::number));
}

#[tokio::test]
async fn a_partition_moves_nowhere() {
    let (_served, mut socket) = served_topic(Retention::default()).await;
    for (partition_index, replicas, code) in [
        (0, Some(vec![1]), ErrorCode::None),
        (0, Some(vec![1, 2]), ErrorCode::InvalidReplicaAssignment),
        (0, Some(vec![]), ErrorCode::InvalidReplicaAssignment),
        (0, None, ErrorCode::NoReassignmentInProgress),
        (1, Some(vec![1]), ErrorCode::UnknownTopicOrPartition),
    ] {
        let asked = AlterPartitionReassignmentsRequest {
            topics: vec![ReassignTopic {
                name: "t".into(),
                partitions: vec![ReassignPartition {
                    partition_index,
                    replicas,
                }],
            }],
            ..Default::default()
        };
        let key = ApiKey::AlterPartitionReassignments;
        let said: AlterPartitionReassignmentsResponse = ask(&mut socket, key, 0, &asked).await;
        let partition = &said.responses[0].partitions[0];
        assert_eq!(partition.error_code, code.number(), "{partition:?}");
    }
    let asked = ListPartitionReassignmentsRequest::default();
    let key = ApiKey::ListPartitionReassignments;
    let said: ListPartitionReassignmentsResponse = ask(&mut socket, key, 0, &asked).await;
    assert_eq!(said.topics, []);
}

#[tokio::test]
async fn partitions_tell_who_produces_to_them() {
    let (_served, mut socket) = served_topic(Retention::default()).await;
    produced(&mut socket, "t", batch(&["a", "b"], Some((77, 5)))).await;
    produced(&mut socket, "t", batch(&["nobody's"], None)).await;
    let asked = DescribeProducersRequest {
        topics: vec![ProducersAsked {
            name: "t".into(),
            partition_indexes: vec![0, 1],
        }],
    };
    let said: DescribeProducersResponse =
        ask(&mut socket, ApiKey::DescribeProducers, 0, &asked).await;
    let [here, missing] = &said.topics[0].partitions[..] else {
        panic!("two: {said:?}");
    };
    let [producer] = &here.active_producers[..] else {
        panic!("one: {here:?}");
    };
    assert_eq!((producer.producer_id, producer.last_sequence), (77, 6));
    assert_eq!(producer.current_txn_start_offset, -1);
    assert_eq!(
        missing.error_code,
        ErrorCode::UnknownTopicOrPartition.number()
    );
}

#[tokio::test]
async fn a_partition_can_be_moved_to_the_folder_where_it_is_and_to_no_other() {
    let served = served().await;
    served.broker.ensure_topic(NAMESPACE, "t").await.unwrap();
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    let (missing, no_folder) = (
        ErrorCode::UnknownTopicOrPartition.number(),
        ErrorCode::LogDirNotFound.number(),
    );
    for (path, expected) in [
        ("standpipe-store", [0, missing]),
        ("/elsewhere", [no_folder, no_folder]),
    ] {
        let asked = AlterReplicaLogDirsRequest {
            dirs: vec![MovedTo {
                path: path.into(),
                topics: vec![MovedTopic {
                    name: "t".into(),
                    partitions: vec![0, 9],
                }],
            }],
        };
        let key = ApiKey::AlterReplicaLogDirs;
        let answer: AlterReplicaLogDirsResponse = ask(&mut socket, key, 2, &asked).await;
        let partitions = answer.results[0].partitions.iter();
        let codes: Vec<_> = partitions.map(|one| one.error_code).collect();
        assert_eq!(codes, expected, "{path}");
    }
}
