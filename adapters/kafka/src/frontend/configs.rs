//! DescribeConfigs: what holds, by Kafka's names.

use std::sync::Arc;

use standpipe_core::{
    broker::{Topic, TopicSpec},
    group,
};

use super::{
    AutoCreate,
    distinct::distinct,
    failure::Failure,
    names,
    service::{Client, NAMESPACE, NODE},
    settings::{self, Setting},
    topics::{DEFAULT, SET_ON_TOPIC},
};
use crate::codec::{
    api::configs::{
        ConfigResource, ConfigSynonym, DescribeConfigsRequest, DescribeConfigsResponse,
        DescribedConfig, DescribedResource,
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
    let resources = distinct(request.resources, |resource| {
        (resource.resource_type, resource.resource_name.clone())
    });
    let told = Told {
        synonyms: request.include_synonyms,
        documentation: request.include_documentation,
    };
    let results = resources.into_iter().map(|resource| {
        let configs = describe(client, &resource, &told);
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

/// What is told besides the values.
struct Told {
    synonyms: bool,
    documentation: bool,
}

fn describe(
    client: &Client,
    resource: &ConfigResource,
    told: &Told,
) -> Result<Vec<DescribedConfig>, Failure> {
    let name = &resource.resource_name;
    let (settings, source) = match resource.resource_type {
        TOPIC => {
            let topic = find(client, name)?;
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
    // Kafka takes a list of none as it takes null: for all.
    let keys = resource.configuration_keys.iter().flatten();
    let keys: Vec<_> = keys.collect();
    let is_wanted =
        |setting: &Setting| keys.is_empty() || keys.iter().any(|key| *key == setting.name);
    let defaults = match resource.resource_type {
        TOPIC => settings::of_topic(&untouched(), client.broker().limits()),
        _ => Vec::new(),
    };
    let described = settings.into_iter().filter(is_wanted).map(|setting| {
        let synonyms = match told.synonyms {
            true => synonyms_of(&setting, source, &defaults),
            false => Vec::new(),
        };
        let documentation = settings::documentation(setting.name);
        let documentation = documentation.filter(|_| told.documentation);
        DescribedConfig {
            name: setting.name.into(),
            value: Some(setting.value),
            read_only: setting.is_fixed,
            is_default: setting.is_default,
            config_source: if setting.is_default { DEFAULT } else { source },
            config_type: setting.kind,
            synonyms,
            documentation: documentation.map(Into::into),
            ..Default::default()
        }
    });
    Ok(described.collect())
}

/// # Errors
/// `INVALID_TOPIC_EXCEPTION` for what is no name, and for a topic that there is not.
fn find(client: &Client, name: &str) -> Result<Arc<Topic>, Failure> {
    if !names::is_legal(name) {
        return Err((ErrorCode::InvalidTopic, names::illegal(name)));
    }
    names::topic(client.broker(), name).ok_or_else(|| {
        let message = format!("no topic `{name}`");
        (ErrorCode::UnknownTopicOrPartition, message)
    })
}

/// Where a value comes from and would come from, the first one counts (KIP-226): what was set, then the
/// default, which is the broker's setting for a topic's (`defaults`).
fn synonyms_of(setting: &Setting, source: i8, defaults: &[Setting]) -> Vec<ConfigSynonym> {
    let synonym = |name: String, value: &str, source| ConfigSynonym {
        name,
        value: Some(value.to_owned()),
        source,
    };
    let own = (!setting.is_default).then(|| synonym(setting.name.into(), &setting.value, source));
    let default = match defaults.iter().find(|one| one.name == setting.name) {
        Some(default) => {
            settings::at_broker(setting.name).map(|name| synonym(name, &default.value, DEFAULT))
        }
        None if setting.is_default => Some(synonym(setting.name.into(), &setting.value, DEFAULT)),
        None => None,
    };
    own.into_iter().chain(default).collect()
}

/// A topic that nobody set anything on.
fn untouched() -> TopicSpec {
    TopicSpec::new(NAMESPACE, "default")
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

/// Settings of the broker: those of Kafka's that say how this one behaves.
fn of_broker(client: &Client) -> Vec<Setting> {
    let (node, limits, options) = (
        client.node(),
        client.broker().limits(),
        client.service.options(),
    );
    let listener = format!("PLAINTEXT://{}:{}", node.host, node.port);
    let defaults = settings::of_topic(&untouched(), limits).into_iter();
    let mut retention = defaults.filter(|setting| setting.name == "retention.ms");
    let retention = retention.next().map(|setting| setting.value);
    let (groups, usual) = (&options.groups, group::Options::default());
    let auto_create = options.auto_create == AutoCreate::On;
    let millis = |time: std::time::Duration| time.as_millis().to_string();
    #[rustfmt::skip]
    let all = [
        ("advertised.listeners", listener, settings::STRING, false),
        ("auto.create.topics.enable", auto_create.to_string(), settings::BOOL, auto_create),
        ("broker.id", NODE.to_string(), settings::INT, false),
        ("default.replication.factor", "1".into(), settings::INT, true),
        ("group.initial.rebalance.delay.ms", millis(groups.initial_rebalance_delay), settings::INT,
            groups.initial_rebalance_delay == usual.initial_rebalance_delay),
        ("group.max.session.timeout.ms", millis(groups.max_session_timeout), settings::INT,
            groups.max_session_timeout == usual.max_session_timeout),
        ("group.max.size", groups.members.to_string(), settings::INT, true),
        ("group.min.session.timeout.ms", millis(groups.min_session_timeout), settings::INT,
            groups.min_session_timeout == usual.min_session_timeout),
        ("log.retention.ms", retention.unwrap_or_default(), settings::LONG, true),
        ("message.max.bytes", limits.message_bytes.to_string(), settings::INT, true),
        ("num.partitions", options.num_partitions.to_string(), settings::INT,
            options.num_partitions.get() == 1),
    ];
    let all = all
        .into_iter()
        .map(|(name, value, kind, is_default)| Setting {
            name,
            value,
            is_default,
            kind,
            is_fixed: true,
        });
    all.collect()
}
