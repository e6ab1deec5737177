use bytes::Bytes;
use proptest::prelude::*;
use uuid::Uuid;

use super::{
    ApiKey, configs::*, coordinator::*, delete_records::*, fetch::*, groups::*, list_offsets::*,
    log_dirs::*, membership::*, metadata::*, offsets::*, produce::*, producers::*, replicas::*,
    topics::*,
};
use crate::codec::{Malformed, Reader, Wire, Writer, header::RequestHeader};

fn encode(message: &impl Wire, version: i16, flexible: bool) -> Bytes {
    let mut writer = Writer::new(flexible);
    message.write(&mut writer, version);
    writer.finish().freeze()
}

/// Reads a request of any API, as the frontend does.
fn read_any(key: ApiKey, version: i16, body: Bytes) -> Result<(), Malformed> {
    let reader = &mut Reader::new(body, key.is_flexible(version));
    macro_rules! read {
        ($type:ty) => {
            <$type>::read(reader, version).map(drop)
        };
    }
    match key {
        ApiKey::Produce => read!(ProduceRequest),
        ApiKey::Fetch => read!(FetchRequest),
        ApiKey::ListOffsets => read!(ListOffsetsRequest),
        ApiKey::Metadata => read!(MetadataRequest),
        ApiKey::OffsetCommit => read!(OffsetCommitRequest),
        ApiKey::OffsetFetch => read!(OffsetFetchRequest),
        ApiKey::FindCoordinator => read!(FindCoordinatorRequest),
        ApiKey::JoinGroup => read!(JoinGroupRequest),
        ApiKey::Heartbeat => read!(HeartbeatRequest),
        ApiKey::LeaveGroup => read!(LeaveGroupRequest),
        ApiKey::SyncGroup => read!(SyncGroupRequest),
        ApiKey::DescribeGroups => read!(DescribeGroupsRequest),
        ApiKey::ListGroups => read!(ListGroupsRequest),
        ApiKey::ApiVersions => Ok(()),
        ApiKey::CreateTopics => read!(CreateTopicsRequest),
        ApiKey::DeleteTopics => read!(DeleteTopicsRequest),
        ApiKey::InitProducerId => read!(InitProducerIdRequest),
        ApiKey::DescribeConfigs => read!(DescribeConfigsRequest),
        ApiKey::AlterConfigs => read!(AlterConfigsRequest),
        ApiKey::IncrementalAlterConfigs => read!(IncrementalAlterConfigsRequest),
        ApiKey::CreatePartitions => read!(CreatePartitionsRequest),
        ApiKey::DeleteGroups => read!(DeleteGroupsRequest),
        ApiKey::DescribeCluster => read!(DescribeClusterRequest),
        ApiKey::DeleteRecords => read!(DeleteRecordsRequest),
        ApiKey::DescribeLogDirs => read!(DescribeLogDirsRequest),
        ApiKey::ElectLeaders => read!(ElectLeadersRequest),
        ApiKey::AlterPartitionReassignments => read!(AlterPartitionReassignmentsRequest),
        ApiKey::ListPartitionReassignments => read!(ListPartitionReassignmentsRequest),
        ApiKey::OffsetDelete => read!(OffsetDeleteRequest),
        ApiKey::DescribeProducers => read!(DescribeProducersRequest),
        ApiKey::OffsetForLeaderEpoch => read!(EpochsRequest),
        ApiKey::AlterReplicaLogDirs => read!(AlterReplicaLogDirsRequest),
        ApiKey::ListConfigResources => read!(ListConfigResourcesRequest),
        ApiKey::DescribeTopicPartitions => read!(DescribeTopicPartitionsRequest),
    }
}

proptest! {
    #[test]
    fn any_octets_are_read_or_refused(body: Vec<u8>, key in 0..ApiKey::ALL.len(), pick: u8) {
        let key = ApiKey::ALL[key];
        let versions: Vec<_> = key.versions().collect();
        let version = versions[usize::from(pick) % versions.len()];
        let _ = read_any(key, version, body.into());
    }

    #[test]
    fn any_header_is_read_or_refused(request: Vec<u8>) {
        let _ = RequestHeader::read(request.into());
    }
}

fn produce() -> ProduceRequest {
    let partition = |index, records| PartitionProduce { index, records };
    ProduceRequest {
        transactional_id: Some("t".into()),
        acks: -1,
        timeout_ms: 30_000,
        topics: vec![TopicProduce {
            name: "flights".into(),
            partitions: vec![
                partition(0, Some(Bytes::from_static(b"batch"))),
                partition(1, None),
            ],
        }],
    }
}

fn fetch() -> FetchRequest {
    FetchRequest {
        max_wait_ms: 500,
        min_bytes: 1,
        topics: vec![FetchTopic {
            topic: "flights".into(),
            partitions: vec![FetchPartition {
                fetch_offset: 42,
                partition_max_bytes: 1 << 20,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

#[test]
fn what_is_written_is_read_again_in_every_version() {
    for version in 3..=12 {
        let flexible = ApiKey::Produce.is_flexible(version);
        let body = encode(&produce(), version, flexible);
        let mut reader = Reader::new(body, flexible);
        assert_eq!(
            ProduceRequest::read(&mut reader, version).unwrap(),
            produce()
        );
        assert_eq!(reader.remaining(), 0);
    }
    for version in 4..=12 {
        let flexible = ApiKey::Fetch.is_flexible(version);
        let body = encode(&fetch(), version, flexible);
        let mut reader = Reader::new(body, flexible);
        assert_eq!(FetchRequest::read(&mut reader, version).unwrap(), fetch());
        assert_eq!(reader.remaining(), 0);
    }
}

#[test]
fn a_request_that_is_cut_short_anywhere_is_refused() {
    for (key, version, body) in [
        (ApiKey::Produce, 3, encode(&produce(), 3, false)),
        (ApiKey::Produce, 12, encode(&produce(), 12, true)),
        (ApiKey::Fetch, 11, encode(&fetch(), 11, false)),
        (ApiKey::Fetch, 17, encode(&fetch(), 17, true)),
    ] {
        assert_eq!(read_any(key, version, body.clone()), Ok(()));
        for end in 0..body.len() {
            let cut = body.slice(..end);
            assert!(
                read_any(key, version, cut).is_err(),
                "{key:?} {version} at {end}"
            );
        }
    }
}

/// Octets as Apache Kafka's MetadataRequest schema lays them out, by hand.
#[test]
fn metadata_requests_are_those_of_kafkas_schema() {
    let named = |name: &str| {
        vec![TopicAsked {
            topic_id: Uuid::nil(),
            name: Some(name.into()),
        }]
    };
    let v1 = Bytes::from_static(b"\0\0\0\x01\0\x01a");
    let read = MetadataRequest::read(&mut Reader::new(v1, false), 1).unwrap();
    assert_eq!(read.topics, Some(named("a")));
    assert!(read.allow_auto_topic_creation, "before it could be said");
    let v12 = b"\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02a\0\0\0\0";
    let read = MetadataRequest::read(&mut Reader::new(Bytes::from_static(v12), true), 12).unwrap();
    assert_eq!(read.topics, Some(named("a")));
    assert!(!read.allow_auto_topic_creation);
    let all = Bytes::from_static(b"\0\x01\0\0");
    let read = MetadataRequest::read(&mut Reader::new(all, true), 12).unwrap();
    assert_eq!(read.topics, None);
}

#[test]
fn unknown_tags_are_skipped() {
    let body = b"\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02a\x01\x07\x03xyz\0\0\x02\0\0\x05\x01z";
    let mut reader = Reader::new(Bytes::from_static(body), true);
    assert!(MetadataRequest::read(&mut reader, 12).is_ok());
    assert_eq!(reader.remaining(), 0);
}

#[test]
fn a_count_beyond_the_end_takes_no_memory() {
    let huge = Bytes::from_static(b"\x7f\xff\xff\xff\0\0\0\0");
    assert!(read_any(ApiKey::Metadata, 1, huge).is_err());
    let compact = Bytes::from_static(b"\xff\xff\xff\xff\x0f\0\0\0");
    assert!(read_any(ApiKey::Metadata, 9, compact).is_err());
}

#[test]
fn array_elements_are_limited_over_the_whole_request() {
    let mut body = 1_000_000i32.to_be_bytes().to_vec();
    body.resize(4 + 2_000_000, 0);
    assert!(read_any(ApiKey::DescribeGroups, 0, body.into()).is_err());
}
