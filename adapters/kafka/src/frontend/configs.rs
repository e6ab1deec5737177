//! DescribeConfigs: what holds, by Kafka's names.

use standpipe_core::broker::TopicSpec;

use super::{
    failure::Failure,
    names,
    service::{Client, NAMESPACE, NODE},
    settings::{self, Setting},
    topics::{DEFAULT, SET_ON_TOPIC},
};
use crate::codec::{
    api::configs::{
        ConfigResource, DescribeConfigsRequest, DescribeConfigsResponse, DescribedConfig,
        DescribedResource,
    },
    error_code::ErrorCode,
};

/// The resource type of a topic.
pub(super) const TOPIC: i8 = 2;
/// That of a broker; without a name it is all of them.
pub(super) const BROKER: i8 = 4;
/// Set where the broker was started.
const STATIC_BROKER: i8 = 4;

/// The settings of topics and of the broker.
pub(super) fn answer(client: &Client, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
    let results = request.resources.into_iter().map(|resource| {
        let configs = describe(client, &resource);
        let (code, message, configs) = match configs {
            Ok(configs) => (ErrorCode::None, None, configs),
            Err((code, message)) => (code, Some(message), Vec::new()),
        };
        DescribedResource {
            error_code: code.number(),
            error_message: message,
            resource_type: resource.resource_type,
            resource_name: resource.resource_name,
            configs,
        }
    });
    DescribeConfigsResponse {
        results: results.collect(),
        ..Default::default()
    }
}

fn describe(client: &Client, resource: &ConfigResource) -> Result<Vec<DescribedConfig>, Failure> {
    let name = &resource.resource_name;
    let (settings, source) = match resource.resource_type {
        TOPIC => {
            let topic = names::topic(client.broker(), name).ok_or_else(|| {
                let message = format!("no topic `{name}`");
                (ErrorCode::UnknownTopicOrPartition, message)
            })?;
            (
                settings::of_topic(&topic.spec(), client.broker().limits()),
                SET_ON_TOPIC,
            )
        }
        BROKER if name.is_empty() => (Vec::new(), STATIC_BROKER),
        BROKER => {
            check_broker(name)?;
            (of_broker(client), STATIC_BROKER)
        }
        other => {
            let message = format!("settings of resources of type {other} are not known");
            return Err((ErrorCode::InvalidRequest, message));
        }
    };
    let keys = resource.configuration_keys.as_ref();
    let is_wanted =
        |setting: &Setting| keys.is_none_or(|keys| keys.iter().any(|key| key == setting.name));
    let described = settings.into_iter().filter(is_wanted).map(|setting| {
        let config_source = if setting.is_default { DEFAULT } else { source };
        DescribedConfig {
            name: setting.name.into(),
            value: Some(setting.value),
            read_only: setting.is_fixed,
            is_default: setting.is_default,
            config_source,
            config_type: setting.kind,
            ..Default::default()
        }
    });
    Ok(described.collect())
}

/// # Errors
/// `INVALID_REQUEST` for a broker that there is not.
pub(super) fn check_broker(name: &str) -> Result<(), Failure> {
    if name.is_empty() || *name == NODE.to_string() {
        return Ok(());
    }
    let message = format!("no broker {name}; there is {NODE}");
    Err((ErrorCode::InvalidRequest, message))
}

fn of_broker(client: &Client) -> Vec<Setting> {
    let node = client.node();
    let limits = client.broker().limits();
    let listener = format!("PLAINTEXT://{}:{}", node.host, node.port);
    let defaults = settings::of_topic(&TopicSpec::new(NAMESPACE, "default"), limits);
    let retention = defaults
        .into_iter()
        .find(|setting| setting.name == "retention.ms");
    let setting = |name, value: String, kind| Setting {
        name,
        value,
        is_default: name != "advertised.listeners" && name != "broker.id",
        kind,
        is_fixed: true,
    };
    vec![
        setting("advertised.listeners", listener, settings::STRING),
        setting("auto.create.topics.enable", "true".into(), settings::BOOL),
        setting("broker.id", NODE.to_string(), settings::INT),
        setting("default.replication.factor", "1".into(), settings::INT),
        setting(
            "log.retention.ms",
            retention.map(|setting| setting.value).unwrap_or_default(),
            settings::LONG,
        ),
        setting(
            "message.max.bytes",
            limits.message_bytes.to_string(),
            settings::INT,
        ),
        setting("num.partitions", "1".into(), settings::INT),
    ]
}
