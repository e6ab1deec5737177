//! Settings of topics other than what they keep.

use super::{
    retention::{change, create, described},
    *,
};
use crate::codec::api::configs::*;

const SIZE: &str = "max.message.bytes";

#[tokio::test]
async fn a_batch_above_its_topics_limit_is_refused_and_one_below_is_taken() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    let fits = batch(&["a"], None);
    let above = batch(&["ab"], None);
    let limit = fits.len().to_string();
    let created = create(&mut socket, "t", &[(SIZE, &limit)]).await;
    assert_eq!(created.error_code, 0, "{created:?}");
    assert_eq!(described(&mut socket, &[SIZE]).await, [(limit, false)]);
    let refused = produced(&mut socket, "t", above.clone()).await;
    assert_eq!(refused.error_code, ErrorCode::MessageTooLarge.number());
    let message = refused.error_message.unwrap();
    assert!(message.contains("topic `t`"), "{message}");
    assert_eq!(produced(&mut socket, "t", fits).await.base_offset, 0);

    let set = change(&mut socket, SIZE, 0, Some(&above.len().to_string())).await;
    assert_eq!(set.error_code, 0);
    assert_eq!(produced(&mut socket, "t", above).await.base_offset, 1);
    change(&mut socket, SIZE, 1, None).await;
    let brokers = served.broker.limits().message_bytes.to_string();
    assert_eq!(described(&mut socket, &[SIZE]).await, [(brokers, true)]);
}

#[tokio::test]
async fn no_topic_takes_more_than_the_broker() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    let limit = served.broker.limits().message_bytes;
    let above = (limit + 1).to_string();
    for value in [above.as_str(), "-1", "1MB"] {
        let refused = create(&mut socket, "t", &[(SIZE, value)]).await;
        assert_eq!(refused.error_code, ErrorCode::InvalidConfig.number());
        let message = refused.error_message.unwrap();
        assert!(message.contains(&limit.to_string()), "{message}");
    }
    let created = create(&mut socket, "t", &[(SIZE, &limit.to_string())]).await;
    assert_eq!(created.error_code, 0);
}

/// Kafka Streams, Connect, the Schema Registry and MirrorMaker set some of these.
#[tokio::test]
async fn what_tunes_kafkas_files_is_kept_described_and_forgotten_again() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    let settings = [
        ("compression.zstd.level", "7"),
        ("leader.replication.throttled.replicas", "0:1,1:1"),
        ("preallocate", "true"),
        ("segment.bytes", "52428800"),
        ("segment.ms", "604800000"),
        ("unclean.leader.election.enable", "true"),
    ];
    let created = create(&mut socket, "t", &settings).await;
    assert_eq!(created.error_code, 0, "{created:?}");
    let names = settings.map(|(name, _)| name);
    let set = settings.map(|(_, value)| (value.to_owned(), false));
    assert_eq!(described(&mut socket, &names).await, set);

    let throttled = "leader.replication.throttled.replicas";
    change(&mut socket, throttled, 3, Some("0:1")).await;
    change(&mut socket, throttled, 2, Some("2:1")).await;
    let said = described(&mut socket, &[throttled]).await;
    assert_eq!(said, [("1:1,2:1".to_owned(), false)]);
    change(&mut socket, "segment.bytes", 1, None).await;
    let said = described(&mut socket, &["segment.bytes"]).await;
    assert_eq!(said, [("1073741824".to_owned(), true)]);
    for (name, value) in [
        ("segment.ms", "0"),
        ("preallocate", "maybe"),
        (throttled, "x"),
    ] {
        let refused = change(&mut socket, name, 0, Some(value)).await;
        assert_eq!(refused.error_code, ErrorCode::InvalidConfig.number());
    }
}

#[tokio::test]
async fn what_would_be_believed_in_and_is_not_done_is_refused() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    for (name, value, only) in [
        ("flush.messages", "1", "9223372036854775807"),
        ("max.compaction.lag.ms", "1000", "9223372036854775807"),
        ("message.timestamp.type", "LogAppendTime", "CreateTime"),
        ("min.insync.replicas", "2", "1"),
        ("remote.storage.enable", "true", "false"),
    ] {
        let refused = create(&mut socket, "t", &[(name, value)]).await;
        assert_eq!(refused.error_code, ErrorCode::InvalidConfig.number());
        let message = refused.error_message.unwrap();
        assert!(message.contains(&format!("only {only}")), "{message}");
        let created = create(&mut socket, name, &[(name, only)]).await;
        assert_eq!(created.error_code, 0, "what holds always can be named");
    }
    let refused = create(&mut socket, "t", &[("no.such.setting", "1")]).await;
    assert_eq!(refused.error_code, ErrorCode::InvalidConfig.number());
}

#[tokio::test]
async fn no_value_is_kept_that_is_longer_than_the_limit() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    create(&mut socket, "t", &[]).await;
    for (name, octets, code) in [
        ("segment.ms", 4096, ErrorCode::None),
        ("segment.ms", 4097, ErrorCode::InvalidConfig),
        ("retention.ms", 4097, ErrorCode::InvalidConfig),
    ] {
        let value = format!("{:0>octets$}", 1000);
        let said = change(&mut socket, name, 0, Some(&value)).await;
        assert_eq!(said.error_code, code.number(), "{name} {octets}");
        assert!(said.error_message.is_none_or(|why| why.contains("4096")));
    }
}

#[tokio::test]
async fn settings_that_are_replaced_go_where_they_are_not_named() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    create(&mut socket, "t", &[(SIZE, "1000"), ("segment.ms", "5")]).await;
    let replace = |validate_only| AlterConfigsRequest {
        resources: vec![AlterResource {
            resource_type: 2,
            resource_name: "t".into(),
            configs: vec![AlterConfig {
                name: "segment.ms".into(),
                value: Some("6".into()),
            }],
        }],
        validate_only,
    };
    let brokers = served.broker.limits().message_bytes.to_string();
    for (validate_only, size, ms) in [(true, "1000", "5"), (false, &*brokers, "6")] {
        let asked = replace(validate_only);
        let said: AlterConfigsResponse = ask(&mut socket, ApiKey::AlterConfigs, 2, &asked).await;
        assert_eq!(said.responses[0].error_code, 0);
        let held = described(&mut socket, &[SIZE, "segment.ms"]).await;
        let held: Vec<_> = held.iter().map(|(value, _)| &**value).collect();
        assert_eq!(held, [size, ms]);
    }
}

#[tokio::test]
async fn a_setting_without_a_value_is_refused_unless_it_is_deleted() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    create(&mut socket, "t", &[]).await;
    for (operation, code) in [
        (0, ErrorCode::InvalidRequest),
        (1, ErrorCode::None),
        (2, ErrorCode::InvalidRequest),
    ] {
        let said = change(&mut socket, "segment.ms", operation, None).await;
        assert_eq!(said.error_code, code.number(), "{operation}");
    }
}

#[tokio::test]
async fn what_was_never_set_on_a_broker_can_be_deleted_and_nothing_be_set() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    for (broker, operation, code) in [
        ("1", 1, ErrorCode::None),
        ("", 1, ErrorCode::None),
        ("1", 0, ErrorCode::InvalidRequest),
        ("2", 1, ErrorCode::InvalidRequest),
    ] {
        let asked = IncrementalAlterConfigsRequest {
            resources: vec![IncrementalResource {
                resource_type: 4,
                resource_name: broker.into(),
                configs: vec![IncrementalConfig {
                    name: "leader.replication.throttled.rate".into(),
                    config_operation: operation,
                    value: (operation == 0).then(|| "1".into()),
                }],
            }],
            validate_only: false,
        };
        let key = ApiKey::IncrementalAlterConfigs;
        let said: AlterConfigsResponse = ask(&mut socket, key, 1, &asked).await;
        assert_eq!(said.responses[0].error_code, code.number(), "{broker}");
    }
}
