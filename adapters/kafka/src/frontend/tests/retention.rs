//! What a topic keeps, under Kafka's names.

use bytes::BytesMut;
use standpipe_core::{
    broker::Retention,
    id::{Millis, Offset},
};

use super::*;
use crate::codec::{
    api::{configs::*, topics::*},
    records::{BatchBuilder, Record},
};

pub(super) async fn create(
    socket: &mut TcpStream,
    name: &str,
    configs: &[(&str, &str)],
) -> CreatedTopic {
    let configs = configs.iter().map(|(name, value)| CreatableConfig {
        name: (*name).into(),
        value: Some((*value).into()),
    });
    let asked = CreateTopicsRequest {
        topics: vec![CreatableTopic {
            name: name.into(),
            num_partitions: -1,
            replication_factor: -1,
            configs: configs.collect(),
            ..Default::default()
        }],
        ..Default::default()
    };
    let created: CreateTopicsResponse = ask(socket, ApiKey::CreateTopics, 7, &asked).await;
    created.topics[0].clone()
}

/// Values of settings, and whether each is the default.
pub(super) async fn described(socket: &mut TcpStream, names: &[&str]) -> Vec<(String, bool)> {
    let keys = names.iter().map(|name| (*name).to_owned()).collect();
    let asked = DescribeConfigsRequest {
        resources: vec![ConfigResource {
            resource_type: 2,
            resource_name: "t".into(),
            configuration_keys: Some(keys),
        }],
        ..Default::default()
    };
    let said: DescribeConfigsResponse = ask(socket, ApiKey::DescribeConfigs, 4, &asked).await;
    let configs = said.results[0].configs.iter();
    configs
        .map(|config| (config.value.clone().unwrap(), config.config_source == 5))
        .collect()
}

pub(super) async fn change(
    socket: &mut TcpStream,
    name: &str,
    operation: i8,
    value: Option<&str>,
) -> AlteredResource {
    let asked = IncrementalAlterConfigsRequest {
        resources: vec![IncrementalResource {
            resource_type: 2,
            resource_name: "t".into(),
            configs: vec![IncrementalConfig {
                name: name.into(),
                config_operation: operation,
                value: value.map(Into::into),
            }],
        }],
        validate_only: false,
    };
    let key = ApiKey::IncrementalAlterConfigs;
    let altered: AlterConfigsResponse = ask(socket, key, 1, &asked).await;
    altered.responses[0].clone()
}

const LIMITS: [&str; 2] = ["retention.bytes", "retention.ms"];
const WEEK: u64 = 604_800_000;

#[tokio::test]
async fn a_topic_keeps_what_its_settings_say_and_describes_them() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    for (name, configs, kept) in [
        ("none", &[][..], Retention::Time { ms: WEEK }),
        (
            "ms",
            &[("retention.ms", "5000")],
            Retention::Time { ms: 5000 },
        ),
        ("all", &[("retention.ms", "-1")], Retention::Forever),
        (
            "bytes",
            &[("retention.bytes", "1000"), ("retention.ms", "-1")],
            Retention::Size { octets: 1000 },
        ),
        (
            "t",
            &[("cleanup.policy", "delete"), ("retention.bytes", "1000")],
            Retention::Both {
                ms: WEEK,
                octets: 1000,
            },
        ),
    ] {
        let created = create(&mut socket, name, configs).await;
        assert_eq!(created.error_code, 0, "{created:?}");
        let topic = served.broker.topic(NAMESPACE, name).unwrap();
        assert_eq!(topic.retention(), kept, "{name}");
    }
    let said = described(&mut socket, &LIMITS).await;
    let (bytes, ms) = (("1000".to_owned(), false), (WEEK.to_string(), true));
    assert_eq!(said, [bytes, ms]);
}

#[tokio::test]
async fn what_is_not_implemented_is_refused_by_name() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    for (name, value) in [
        ("cleanup.policy", "compress"),
        ("cleanup.policy", ""),
        ("delete.retention.ms", "-1"),
        ("min.cleanable.dirty.ratio", "2"),
        ("retention.bytes", "-2"),
        ("retention.ms", "7d"),
    ] {
        let refused = create(&mut socket, "t", &[(name, value)]).await;
        assert_eq!(refused.error_code, ErrorCode::InvalidConfig.number());
        let message = refused.error_message.unwrap();
        assert!(message.contains(name), "{message}");
        assert!(served.broker.topic(NAMESPACE, "t").is_none());
    }
}

#[tokio::test]
async fn settings_are_changed_one_by_one_or_replaced() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    create(&mut socket, "t", &[]).await;
    let topic = served.broker.topic(NAMESPACE, "t").unwrap();
    let set = change(&mut socket, "retention.bytes", 0, Some("1000")).await;
    assert_eq!(set.error_code, 0);
    assert_eq!(topic.retention().octets(), Some(1000));
    assert_eq!(topic.retention().ms(), Some(WEEK), "the other one stays");
    change(&mut socket, "retention.ms", 0, Some("-1")).await;
    assert_eq!(topic.retention(), Retention::Size { octets: 1000 });
    change(&mut socket, "retention.ms", 1, None).await;
    assert_eq!(topic.retention().ms(), Some(WEEK), "deleted is the default");
    for (name, operation, value) in [
        ("cleanup.policy", 0, "compress"),
        ("cleanup.policy", 2, "compress"),
        ("cleanup.policy", 3, "delete"),
        ("retention.ms", 2, "5"),
        ("retention.bytes", 0, "much"),
    ] {
        let refused = change(&mut socket, name, operation, Some(value)).await;
        assert_eq!(refused.error_code, ErrorCode::InvalidConfig.number());
    }
    let replace = AlterConfigsRequest {
        resources: vec![AlterResource {
            resource_type: 2,
            resource_name: "t".into(),
            configs: vec![AlterConfig {
                name: "retention.ms".into(),
                value: Some("5000".into()),
            }],
        }],
        validate_only: false,
    };
    let replaced: AlterConfigsResponse = ask(&mut socket, ApiKey::AlterConfigs, 2, &replace).await;
    assert_eq!(replaced.responses[0].error_code, 0);
    assert_eq!(topic.retention(), Retention::Time { ms: 5000 });
}

#[tokio::test]
async fn a_settled_topic_stays_so_when_its_description_is_sent_back() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    let mut spec = standpipe_core::broker::TopicSpec::new(NAMESPACE, "t");
    spec.retention = Retention::Settled;
    let topic = served.broker.create_topic(spec).await.unwrap();
    for ((value, _), name) in described(&mut socket, &LIMITS)
        .await
        .into_iter()
        .zip(LIMITS)
    {
        let set = change(&mut socket, name, 0, Some(&value)).await;
        assert_eq!((set.error_code, &*value), (0, "-1"));
    }
    assert_eq!(topic.retention(), Retention::Settled);
}

#[tokio::test]
async fn a_compacted_topic_is_created_described_and_changed_in_any_order() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    let settings = [
        ("retention.ms", "5000"),
        ("delete.retention.ms", "1000"),
        ("min.compaction.lag.ms", "10"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("cleanup.policy", "compact"),
    ];
    let created = create(&mut socket, "t", &settings).await;
    assert_eq!(created.error_code, 0, "{created:?}");
    let topic = served.broker.topic(NAMESPACE, "t").unwrap();
    let words = "compact,grace=1s,lag=10ms,dirty=0.01";
    assert_eq!(topic.retention().to_string(), words);
    let names = settings.map(|(name, _)| name);
    let said = described(&mut socket, &names).await;
    let values: Vec<_> = said.iter().map(|(value, _)| value.as_str()).collect();
    assert_eq!(values, ["compact", "1000", "0.01", "10", "5000"]);

    change(&mut socket, "cleanup.policy", 0, Some("delete,compact")).await;
    assert_eq!(topic.retention().to_string(), format!("{words},5s"));
    let said = described(&mut socket, &["cleanup.policy"]).await;
    assert_eq!(said, [("delete,compact".to_owned(), false)]);
    change(&mut socket, "cleanup.policy", 3, Some("compact")).await;
    assert_eq!(topic.retention(), Retention::Time { ms: 5000 });
    let said = described(&mut socket, &["delete.retention.ms"]).await;
    assert_eq!(said, [("1000".to_owned(), false)], "for when it is again");
    change(&mut socket, "delete.retention.ms", 1, None).await;
    change(&mut socket, "cleanup.policy", 2, Some("compact")).await;
    let words = "compact,lag=10ms,dirty=0.01,5s";
    assert_eq!(topic.retention().to_string(), words);
    change(&mut socket, "cleanup.policy", 1, None).await;
    assert_eq!(topic.retention(), Retention::Time { ms: 5000 });
}

/// Terraform's provider would set again and again what it does not find so.
#[tokio::test]
async fn what_was_set_is_described_as_it_was_spelled_and_that_it_was_though_it_is_the_default() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    let socket = &mut socket;
    let settings = [
        ("cleanup.policy", "delete"),
        ("min.cleanable.dirty.ratio", "0.50"),
        ("min.insync.replicas", "1"),
        ("retention.ms", "604800000"),
    ];
    create(socket, "t", &settings).await;
    let names = settings.map(|(name, _)| name);
    let set = settings.map(|(_, value)| (value.to_owned(), false));
    assert_eq!(described(socket, &names).await, set);

    let policy = ["cleanup.policy"];
    change(socket, policy[0], 2, Some("compact")).await;
    let said = described(socket, &policy).await;
    assert_eq!(said, [("delete,compact".to_owned(), false)]);
    for (retention, expected) in [("compact", ("compact", false)), ("7d", ("delete", true))] {
        let kept = retention.parse().unwrap();
        let changed = served.broker.set_retention(NAMESPACE, "t", kept);
        changed.await.unwrap();
        let said = described(socket, &policy).await;
        let said: Vec<_> = said
            .iter()
            .map(|(value, usual)| (&**value, *usual))
            .collect();
        assert_eq!(said, [expected], "{retention}");
    }

    change(socket, policy[0], 0, Some("delete")).await;
    change(socket, "min.insync.replicas", 1, None).await;
    let said = described(socket, &["cleanup.policy", "min.insync.replicas"]).await;
    assert_eq!(said, [("delete".to_owned(), false), ("1".to_owned(), true)]);
    let none = AlterConfigsRequest {
        resources: vec![AlterResource {
            resource_type: 2,
            resource_name: "t".into(),
            configs: Vec::new(),
        }],
        validate_only: false,
    };
    let _: AlterConfigsResponse = ask(socket, ApiKey::AlterConfigs, 2, &none).await;
    let said = described(socket, &names).await;
    assert!(said.iter().all(|(_, is_default)| *is_default), "{said:?}");
}

#[tokio::test]
async fn how_it_would_be_compacted_can_be_said_before_it_is() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    let settings = [
        ("delete.retention.ms", "1000"),
        ("cleanup.policy", "delete"),
    ];
    let created = create(&mut socket, "t", &settings).await;
    assert_eq!(created.error_code, 0, "{created:?}");
    let topic = served.broker.topic(NAMESPACE, "t").unwrap();
    assert_eq!(topic.retention(), Retention::Time { ms: WEEK });
    change(&mut socket, "cleanup.policy", 0, Some("compact")).await;
    assert_eq!(topic.retention().to_string(), "compact,grace=1s");
}

#[tokio::test]
async fn a_topic_that_keeps_everything_does_so_again_after_it_was_compacted() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    create(&mut socket, "t", &[("retention.ms", "-1")]).await;
    let topic = served.broker.topic(NAMESPACE, "t").unwrap();
    change(&mut socket, "cleanup.policy", 0, Some("compact")).await;
    assert_eq!(topic.retention().to_string(), "compact");
    change(&mut socket, "cleanup.policy", 0, Some("delete")).await;
    assert_eq!(topic.retention(), Retention::Forever);
}

#[tokio::test]
async fn a_record_without_a_key_is_refused_with_its_whole_batch() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    create(&mut socket, "t", &[("cleanup.policy", "compact")]).await;
    let keyed = Record {
        key: Some(Bytes::from_static(b"k")),
        value: None,
        ..Default::default()
    };
    let keyless = Record {
        key: None,
        ..keyed.clone()
    };
    let refused = produced(&mut socket, "t", batch_of(&[keyed.clone(), keyless])).await;
    assert_eq!(refused.error_code, ErrorCode::InvalidRecord.number());
    let message = refused.error_message.unwrap();
    assert!(
        message.contains("record 1 of the batch has no key"),
        "{message}"
    );
    let taken = produced(&mut socket, "t", batch_of(&[keyed])).await;
    assert_eq!((taken.error_code, taken.base_offset), (0, 0));
}

fn batch_of(records: &[Record]) -> Bytes {
    let mut builder = BatchBuilder::new(Offset(0), 0);
    for (at, record) in (0..).map(Offset).zip(records) {
        builder.push(at, Millis(1), record.clone());
    }
    let mut out = BytesMut::new();
    builder.finish(Offset(records.len() as u64), &mut out);
    out.freeze()
}
