//! What tools ask about the cluster, topics, groups and settings.

use super::{retention::create, *};
use crate::codec::api::{configs::*, groups::*, membership::*};

/// What Apache Kafka 4.3 answers where nobody is kept from anything.
const ON_TOPIC: i32 = 3576;
const ON_CLUSTER: i32 = 8096;

#[tokio::test]
async fn the_cluster_is_described_in_every_version() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    for version in ApiKey::DescribeCluster.versions() {
        let asked = DescribeClusterRequest {
            include_cluster_authorized_operations: true,
            ..Default::default()
        };
        let key = ApiKey::DescribeCluster;
        let answer: DescribeClusterResponse = ask(&mut socket, key, version, &asked).await;
        assert_eq!((answer.error_code, answer.controller_id), (0, 1));
        assert_eq!(answer.brokers[0].port, i32::from(served.address.port()));
        assert_eq!(answer.cluster_authorized_operations, ON_CLUSTER);
    }
    let controllers = DescribeClusterRequest {
        endpoint_type: 2,
        ..Default::default()
    };
    let key = ApiKey::DescribeCluster;
    let answer: DescribeClusterResponse = ask(&mut socket, key, 1, &controllers).await;
    assert_eq!(
        answer.error_code,
        ErrorCode::MismatchedEndpointType.number()
    );
}

#[tokio::test]
async fn allowed_operations_are_told_where_they_are_asked_for() {
    let served = served().await;
    served.broker.ensure_topic(NAMESPACE, "t").await.unwrap();
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    for (is_asked, topic, cluster) in [
        (true, ON_TOPIC, ON_CLUSTER),
        (false, UNKNOWN_OPERATIONS, UNKNOWN_OPERATIONS),
    ] {
        let asked = MetadataRequest {
            include_topic_authorized_operations: is_asked,
            include_cluster_authorized_operations: is_asked,
            ..Default::default()
        };
        let answer: MetadataResponse = ask(&mut socket, ApiKey::Metadata, 8, &asked).await;
        assert_eq!(answer.topics[0].topic_authorized_operations, topic);
        assert_eq!(answer.cluster_authorized_operations, cluster);
    }
    let asked = DescribeGroupsRequest {
        groups: vec!["g".into()],
        include_authorized_operations: true,
    };
    let key = ApiKey::DescribeGroups;
    let answer: DescribeGroupsResponse = ask(&mut socket, key, 5, &asked).await;
    assert_eq!(answer.groups[0].authorized_operations, 328);
}

#[tokio::test]
async fn an_id_without_a_topic_has_no_name_from_version_12_on() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    for (version, name) in [(11, Some(String::new())), (12, None)] {
        let asked = MetadataRequest {
            topics: Some(vec![TopicAsked {
                topic_id: uuid::Uuid::from_u128(7),
                name: None,
            }]),
            ..Default::default()
        };
        let answer: MetadataResponse = ask(&mut socket, ApiKey::Metadata, version, &asked).await;
        let topic = &answer.topics[0];
        let unknown = ErrorCode::UnknownTopicId.number();
        assert_eq!((topic.error_code, topic.name.clone()), (unknown, name));
    }
}

async fn page(
    socket: &mut TcpStream,
    topics: &[&str],
    limit: i32,
    cursor: Option<(&str, i32)>,
) -> (Vec<(String, i16, Vec<i32>)>, Option<(String, i32)>) {
    let asked = DescribeTopicPartitionsRequest {
        topics: topics
            .iter()
            .map(|name| TopicName {
                name: (*name).into(),
            })
            .collect(),
        response_partition_limit: limit,
        cursor: cursor.map(|(topic, partition_index)| Cursor {
            topic_name: topic.into(),
            partition_index,
        }),
    };
    let key = ApiKey::DescribeTopicPartitions;
    let answer: DescribeTopicPartitionsResponse = ask(socket, key, 0, &asked).await;
    let topics = answer.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter();
        let numbers = partitions.map(|one| one.partition_index).collect();
        (topic.name.unwrap(), topic.error_code, numbers)
    });
    let next = answer.next_cursor;
    let next = next.map(|cursor| (cursor.topic_name, cursor.partition_index));
    (topics.collect(), next)
}

#[tokio::test]
async fn topics_are_described_a_page_at_a_time() {
    let served = served().await;
    for (name, partitions) in [("a", 2), ("b", 3), ("c", 1)] {
        let mut spec = standpipe_core::broker::TopicSpec::new(NAMESPACE, name);
        spec.partitions = partitions;
        served.broker.create_topic(spec).await.unwrap();
    }
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    let socket = &mut socket;
    let topic = |name: &str, numbers: &[i32]| (name.to_owned(), 0, numbers.to_vec());
    let at = |name: &str, number| Some((name.to_owned(), number));

    let (all, next) = page(socket, &[], 2000, None).await;
    let whole = [
        topic("a", &[0, 1]),
        topic("b", &[0, 1, 2]),
        topic("c", &[0]),
    ];
    assert_eq!((all, next), (whole.to_vec(), None));
    let (first, next) = page(socket, &[], 3, None).await;
    assert_eq!(first, [topic("a", &[0, 1]), topic("b", &[0])]);
    assert_eq!(next, at("b", 1));
    let (second, next) = page(socket, &[], 2, Some(("b", 1))).await;
    assert_eq!((second, next), (vec![topic("b", &[1, 2])], at("c", 0)));
    let (last, next) = page(socket, &[], 2, Some(("c", 0))).await;
    assert_eq!((last, next), (vec![topic("c", &[0])], None));

    let (named, _) = page(socket, &["b", "a b", "none"], 2000, None).await;
    let missing = |name: &str, code: ErrorCode| (name.to_owned(), code.number(), vec![]);
    let expected = [
        missing("a b", ErrorCode::InvalidTopic),
        topic("b", &[0, 1, 2]),
        missing("none", ErrorCode::UnknownTopicOrPartition),
    ];
    assert_eq!(named, expected);
}

async fn configs(
    socket: &mut TcpStream,
    (kind, name): (i8, &str),
    keys: Option<&[&str]>,
    include_synonyms: bool,
) -> DescribedResource {
    let asked = DescribeConfigsRequest {
        resources: vec![ConfigResource {
            resource_type: kind,
            resource_name: name.into(),
            configuration_keys: keys.map(|keys| keys.iter().map(|key| (*key).into()).collect()),
        }],
        include_synonyms,
        ..Default::default()
    };
    let key = ApiKey::DescribeConfigs;
    let answer: DescribeConfigsResponse = ask(socket, key, 4, &asked).await;
    answer.results[0].clone()
}

fn synonyms(config: &DescribedConfig) -> Vec<(&str, &str, i8)> {
    let synonyms = config.synonyms.iter();
    let parts = synonyms.map(|one| (&*one.name, one.value.as_deref().unwrap(), one.source));
    parts.collect()
}

#[tokio::test]
async fn a_setting_says_where_its_value_comes_from_and_would_come_from() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    create(&mut socket, "t", &[("max.message.bytes", "1000")]).await;
    let socket = &mut socket;
    let keys = ["max.message.bytes", "cleanup.policy"];
    let told = configs(socket, (2, "t"), Some(&keys), true).await.configs;
    assert_eq!(synonyms(&told[0]), [("log.cleanup.policy", "delete", 5)]);
    let limit = served.broker.limits().message_bytes.to_string();
    let expected = [
        ("max.message.bytes", "1000", 1),
        ("message.max.bytes", &*limit, 5),
    ];
    assert_eq!(synonyms(&told[1]), expected);
    let untold = configs(socket, (2, "t"), Some(&keys), false).await.configs;
    assert!(untold.iter().all(|config| config.synonyms.is_empty()));
    let broker = configs(
        socket,
        (4, "1"),
        Some(&["num.partitions", "broker.id"]),
        true,
    )
    .await;
    assert_eq!(synonyms(&broker.configs[0]), [("broker.id", "1", 4)]);
    assert_eq!(synonyms(&broker.configs[1]), [("num.partitions", "1", 5)]);
}

#[tokio::test]
async fn settings_are_asked_for_by_name_and_no_name_is_all_of_them() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    create(&mut socket, "t", &[]).await;
    let socket = &mut socket;
    let all = configs(socket, (2, "t"), None, false).await.configs.len();
    let none = configs(socket, (2, "t"), Some(&[]), false).await.configs;
    assert_eq!(none.len(), all);
    let unknown = configs(socket, (2, "t"), Some(&["nope"]), false).await;
    assert_eq!((unknown.error_code, unknown.configs.len()), (0, 0));
    let illegal = configs(socket, (2, "a b"), None, false).await;
    assert_eq!(illegal.error_code, ErrorCode::InvalidTopic.number());
    let missing = configs(socket, (2, "missing"), None, false).await;
    assert_eq!(
        missing.error_code,
        ErrorCode::UnknownTopicOrPartition.number()
    );
}

#[tokio::test]
async fn every_setting_is_explained_to_who_asks() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    create(&mut socket, "t", &[]).await;
    let resource = |kind, name: &str| ConfigResource {
        resource_type: kind,
        resource_name: name.into(),
        configuration_keys: None,
    };
    for include_documentation in [true, false] {
        let asked = DescribeConfigsRequest {
            resources: vec![resource(2, "t"), resource(4, "1")],
            include_documentation,
            ..Default::default()
        };
        let key = ApiKey::DescribeConfigs;
        let answer: DescribeConfigsResponse = ask(&mut socket, key, 4, &asked).await;
        assert!(answer.results.iter().all(|one| one.configs.len() > 10));
        for config in answer.results.iter().flat_map(|one| &one.configs) {
            let is_explained = config.documentation.is_some();
            assert_eq!(is_explained, include_documentation, "{}", config.name);
        }
    }
}

#[tokio::test]
async fn a_group_without_a_name_is_left_by_nobody() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    let asked = LeaveGroupRequest {
        members: vec![LeavingMember::default()],
        ..Default::default()
    };
    let answer: LeaveGroupResponse = ask(&mut socket, ApiKey::LeaveGroup, 5, &asked).await;
    assert_eq!(answer.error_code, ErrorCode::InvalidGroupId.number());
    assert_eq!(answer.members, []);
}

#[tokio::test]
async fn a_sync_that_names_no_protocol_is_refused_from_version_5_on() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    for (version, expected) in [
        (4, ErrorCode::UnknownMemberId),
        (5, ErrorCode::InconsistentGroupProtocol),
    ] {
        let asked = SyncGroupRequest {
            group_id: "g".into(),
            ..Default::default()
        };
        let answer: SyncGroupResponse = ask(&mut socket, ApiKey::SyncGroup, version, &asked).await;
        assert_eq!(answer.error_code, expected.number(), "{version}");
    }
}

#[tokio::test]
async fn what_has_settings_is_listed_by_type() {
    let served = served().await;
    served.broker.ensure_topic(NAMESPACE, "t").await.unwrap();
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    let (topic, broker) = (("t", 2), ("1", 4));
    for (version, types, expected) in [
        (1, &[][..], &[broker, topic][..]),
        (1, &[2], &[topic]),
        (1, &[4, 8, 16, 32], &[broker]),
        (0, &[], &[]),
    ] {
        let asked = ListConfigResourcesRequest {
            resource_types: types.to_vec(),
        };
        let key = ApiKey::ListConfigResources;
        let answer: ListConfigResourcesResponse = ask(&mut socket, key, version, &asked).await;
        let listed = answer.config_resources.iter();
        let listed: Vec<_> = listed
            .map(|one| (&*one.resource_name, one.resource_type))
            .collect();
        assert_eq!((answer.error_code, &*listed), (0, expected), "{types:?}");
    }
    let asked = ListConfigResourcesRequest {
        resource_types: vec![99],
    };
    let key = ApiKey::ListConfigResources;
    let refused: ListConfigResourcesResponse = ask(&mut socket, key, 1, &asked).await;
    assert_eq!(refused.error_code, ErrorCode::UnsupportedVersion.number());
}
