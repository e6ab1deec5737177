//! Which topics may be made, and which of them are a broker's own at Kafka.

use super::*;
use crate::codec::api::topics::*;

fn topic(name: &str) -> CreatableTopic {
    CreatableTopic {
        name: name.into(),
        num_partitions: -1,
        replication_factor: -1,
        ..Default::default()
    }
}

/// What became of topics that were asked for in one request.
async fn created(
    socket: &mut TcpStream,
    topics: &[CreatableTopic],
    validate_only: bool,
) -> Vec<i16> {
    let asked = CreateTopicsRequest {
        topics: topics.to_vec(),
        validate_only,
        ..Default::default()
    };
    let said: CreateTopicsResponse = ask(socket, ApiKey::CreateTopics, 7, &asked).await;
    said.topics.iter().map(|one| one.error_code).collect()
}

async fn looked_up(socket: &mut TcpStream, names: &[&str]) -> Vec<TopicMetadata> {
    let topics = names.iter().map(|name| TopicAsked {
        name: Some((*name).into()),
        ..Default::default()
    });
    let asked = MetadataRequest {
        topics: Some(topics.collect()),
        ..Default::default()
    };
    let said: MetadataResponse = ask(socket, ApiKey::Metadata, 12, &asked).await;
    said.topics
}

#[tokio::test]
async fn that_a_topic_exists_is_told_before_what_is_wrong_with_the_request() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    assert_eq!(created(&mut socket, &[topic("t")], false).await, [0]);
    let unknown = CreatableConfig {
        name: "no.such.setting".into(),
        value: Some("1".into()),
    };
    let wrong = [
        CreatableTopic {
            replication_factor: 3,
            ..topic("t")
        },
        CreatableTopic {
            num_partitions: 0,
            ..topic("t")
        },
        CreatableTopic {
            configs: vec![unknown],
            ..topic("t")
        },
    ];
    for one in wrong {
        for validate_only in [true, false] {
            let told = created(&mut socket, std::slice::from_ref(&one), validate_only).await;
            assert_eq!(told, [ErrorCode::TopicAlreadyExists.number()], "{one:?}");
        }
    }
}

#[tokio::test]
async fn of_names_that_differ_in_dots_and_underscores_alone_one_topic_is_made() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    assert_eq!(created(&mut socket, &[topic("a.b")], false).await, [0]);
    let (alike, exists) = (
        ErrorCode::InvalidTopic.number(),
        ErrorCode::TopicAlreadyExists.number(),
    );
    for (names, codes) in [
        (["a_b", "a.b", "a-b"], [alike, exists, 0]),
        (["c.d_e", "c_d.e", "c__e"], [0, alike, 0]),
        (["a.b.c", "a_b", "a_b_c"], [0, alike, alike]),
        (["a.b_c", "c.d_e", "c_d_e"], [alike, exists, alike]),
    ] {
        let told = created(&mut socket, &names.map(topic), false).await;
        assert_eq!(told, codes, "{names:?}");
    }
    for (names, codes) in [
        (["a_b", "a.b", "c.d.e"], [alike, 0, alike]),
        (["f.g", "f_g", "f.g_"], [0, alike, 0]),
    ] {
        let told = looked_up(&mut socket, &names).await;
        let told: Vec<_> = told.iter().map(|one| one.error_code).collect();
        assert_eq!(told, codes, "{names:?}");
    }
    assert!(served.broker.topic(NAMESPACE, "a_b").is_none());
}

/// Consumers of all topics pass over those.
#[tokio::test]
async fn topics_of_the_names_of_kafkas_own_are_internal() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    let names = ["__consumer_offsets", "__transaction_state", "__other"];
    let told = looked_up(&mut socket, &names).await;
    let internal: Vec<_> = told.iter().map(|one| one.is_internal).collect();
    assert_eq!(internal, [true, true, false]);
    let asked = DescribeTopicPartitionsRequest::default();
    let key = ApiKey::DescribeTopicPartitions;
    let told: DescribeTopicPartitionsResponse = ask(&mut socket, key, 0, &asked).await;
    let told = told.topics.iter();
    let internal = told.map(|one| (one.name.as_deref(), one.is_internal));
    let expected = [
        (Some("__consumer_offsets"), true),
        (Some("__other"), false),
        (Some("__transaction_state"), true),
    ];
    assert_eq!(internal.collect::<Vec<_>>(), expected);
}
