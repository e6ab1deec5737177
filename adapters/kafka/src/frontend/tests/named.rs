//! What stands several times in a request, and is told once.

use super::*;
use crate::codec::api::{configs::*, groups::*, offsets::*, producers::*};

async fn served_topic() -> (Served, TcpStream) {
    let served = served().await;
    served.broker.ensure_topic(NAMESPACE, "t").await.unwrap();
    let socket = TcpStream::connect(served.address).await.unwrap();
    (served, socket)
}

#[tokio::test]
async fn a_topic_that_is_named_again_is_described_once() {
    let (served, mut socket) = served_topic().await;
    let named = |name: &str, id| TopicAsked {
        topic_id: uuid::Uuid::from_u128(id),
        name: Some(name.into()),
    };
    let by_id = TopicAsked {
        topic_id: served.broker.topic(NAMESPACE, "t").unwrap().id().0,
        name: None,
    };
    for (topics, expected) in [
        (
            vec![named("t", 0), named("u", 0), named("t", 1)],
            &["t", "u"][..],
        ),
        (vec![by_id.clone(), by_id], &["t"]),
    ] {
        let asked = MetadataRequest {
            topics: Some(topics),
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        let said: MetadataResponse = ask(&mut socket, ApiKey::Metadata, 12, &asked).await;
        let names = said.topics.iter().filter_map(|topic| topic.name.as_deref());
        assert_eq!(names.collect::<Vec<_>>(), expected);
    }
}

#[tokio::test]
async fn a_group_that_is_named_again_is_told_once() {
    let (_served, mut socket) = served_topic().await;
    let groups: Vec<String> = ["g", "h", "g"].map(String::from).to_vec();
    let asked = DescribeGroupsRequest {
        groups: groups.clone(),
        ..Default::default()
    };
    let said: DescribeGroupsResponse = ask(&mut socket, ApiKey::DescribeGroups, 5, &asked).await;
    let told = said.groups.iter().map(|group| &*group.group_id);
    assert_eq!(told.collect::<Vec<_>>(), ["g", "h"]);

    let asked = DeleteGroupsRequest {
        groups_names: groups.clone(),
    };
    let said: DeleteGroupsResponse = ask(&mut socket, ApiKey::DeleteGroups, 2, &asked).await;
    let told = said.results.iter().map(|group| &*group.group_id);
    assert_eq!(told.collect::<Vec<_>>(), ["g", "h"]);

    let group = |group_id| OffsetGroup {
        group_id,
        topics: None,
        ..Default::default()
    };
    let asked = OffsetFetchRequest {
        groups: groups.into_iter().map(group).collect(),
        ..Default::default()
    };
    let said: OffsetFetchResponse = ask(&mut socket, ApiKey::OffsetFetch, 8, &asked).await;
    let told = said.groups.iter().map(|group| &*group.group_id);
    assert_eq!(told.collect::<Vec<_>>(), ["g", "h"]);
}

#[tokio::test]
async fn a_partition_that_is_named_again_is_told_once() {
    let (_served, mut socket) = served_topic().await;
    let topic = |partition_indexes: &[i32]| OffsetTopic {
        name: "t".into(),
        partition_indexes: partition_indexes.to_vec(),
    };
    let asked = OffsetFetchRequest {
        group_id: "g".into(),
        topics: Some(vec![topic(&[0, 0, 1]), topic(&[1, 2])]),
        ..Default::default()
    };
    let said: OffsetFetchResponse = ask(&mut socket, ApiKey::OffsetFetch, 7, &asked).await;
    let told = said.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter();
        partitions.map(|one| one.partition_index).collect()
    });
    assert_eq!(told.collect::<Vec<Vec<_>>>(), [vec![0, 1], vec![2]]);

    let asked = DescribeProducersRequest {
        topics: vec![ProducersAsked {
            name: "t".into(),
            partition_indexes: vec![0, 1, 0],
        }],
    };
    let key = ApiKey::DescribeProducers;
    let said: DescribeProducersResponse = ask(&mut socket, key, 0, &asked).await;
    let told = said.topics[0].partitions.iter();
    let told = told.map(|one| one.partition_index);
    assert_eq!(told.collect::<Vec<_>>(), [0, 1]);
}

#[tokio::test]
async fn settings_of_what_is_named_again_are_told_once() {
    let (_served, mut socket) = served_topic().await;
    let resource = |kind, name: &str| ConfigResource {
        resource_type: kind,
        resource_name: name.into(),
        configuration_keys: None,
    };
    let asked = DescribeConfigsRequest {
        resources: vec![resource(2, "t"), resource(4, "1"), resource(2, "t")],
        ..Default::default()
    };
    let key = ApiKey::DescribeConfigs;
    let said: DescribeConfigsResponse = ask(&mut socket, key, 4, &asked).await;
    let told = said.results.iter().map(|one| &*one.resource_name);
    assert_eq!(told.collect::<Vec<_>>(), ["t", "1"]);
}
