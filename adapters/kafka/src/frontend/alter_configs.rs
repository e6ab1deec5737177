//! AlterConfigs and IncrementalAlterConfigs: what can be set on a topic, changed later.

use std::collections::HashSet;

use standpipe_core::{Error, broker::TopicSpec};

use super::{
    configs::{self, BROKER, TOPIC},
    failure::{Failure, failure_of},
    names,
    service::{Client, NAMESPACE},
    settings::{self, Edit},
};
use crate::codec::{
    api::configs::{
        AlterConfigsRequest, AlterConfigsResponse, AlteredResource, IncrementalAlterConfigsRequest,
        IncrementalConfig,
    },
    error_code::ErrorCode,
};

/// Operations, as IncrementalAlterConfigs numbers them (KIP-339).
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// Replaces all settings of topics: what is not named becomes the default.
pub(super) async fn replace(client: &Client, request: AlterConfigsRequest) -> AlterConfigsResponse {
    let mut responses = Vec::with_capacity(request.resources.len());
    for resource in request.resources {
        let (kind, name) = (resource.resource_type, resource.resource_name);
        let limits = client.broker().limits();
        let named: Vec<_> = resource.configs.iter().map(|one| &*one.name).collect();
        let change = |spec: &mut TopicSpec| {
            settings::reset_others(spec, limits, &named);
            let mut configs: Vec<_> = resource.configs.iter().collect();
            configs.sort_by_key(|one| settings::rank(&one.name));
            let mut configs = configs.into_iter();
            configs.try_for_each(|one| settings::set(spec, limits, &one.name, one.value.as_deref()))
        };
        let altered = alter(client, kind, &name, request.validate_only, change).await;
        responses.push(answer(kind, name, altered));
    }
    AlterConfigsResponse {
        responses,
        ..Default::default()
    }
}

/// Changes single settings of topics.
pub(super) async fn increment(
    client: &Client,
    request: IncrementalAlterConfigsRequest,
) -> AlterConfigsResponse {
    let mut responses = Vec::with_capacity(request.resources.len());
    for resource in request.resources {
        let (kind, name) = (resource.resource_type, resource.resource_name);
        let altered = match kind {
            BROKER => forget(&name, &resource.configs),
            _ => {
                alter(client, kind, &name, request.validate_only, |spec| {
                    operate_all(client, spec, &resource.configs)
                })
                .await
            }
        };
        responses.push(answer(kind, name, altered));
    }
    AlterConfigsResponse {
        responses,
        ..Default::default()
    }
}

/// The order of a request says nothing, and each setting stands in it once.
fn operate_all(
    client: &Client,
    spec: &mut TopicSpec,
    configs: &[IncrementalConfig],
) -> Result<(), Failure> {
    let mut seen = HashSet::new();
    let mut configs: Vec<_> = configs.iter().collect();
    configs.sort_by_key(|config| settings::rank(&config.name));
    configs.into_iter().try_for_each(|config| {
        if !seen.insert(&config.name) {
            let message = format!("{} stands more than once in the request", config.name);
            return Err((ErrorCode::InvalidRequest, message));
        }
        operate(client, spec, config)
    })
}

/// Nothing was ever set on a broker this way, so that all can be deleted and nothing else done:
/// `kafka-reassign-partitions --verify` deletes throttles.
fn forget(name: &str, configs: &[IncrementalConfig]) -> Result<(), Failure> {
    configs::check_broker(name)?;
    match configs.iter().find(|one| one.config_operation != DELETE) {
        None => Ok(()),
        Some(config) => {
            let message = format!("{}: settings of a broker cannot be altered", config.name);
            Err((ErrorCode::InvalidRequest, message))
        }
    }
}

fn operate(
    client: &Client,
    spec: &mut TopicSpec,
    config: &IncrementalConfig,
) -> Result<(), Failure> {
    let (limits, name) = (client.broker().limits(), &config.name);
    let value = config.value.as_deref();
    if value.is_none() && config.config_operation != DELETE {
        let message = format!("{name} without a value; DELETE (1) is the operation without one");
        return Err((ErrorCode::InvalidRequest, message));
    }
    match config.config_operation {
        SET => settings::set(spec, limits, name, value),
        DELETE => settings::reset(spec, limits, name),
        APPEND => settings::edit(spec, limits, (name, value), Edit::Append),
        SUBTRACT => settings::edit(spec, limits, (name, value), Edit::Subtract),
        other => {
            let message = format!(
                "operation {other} on {name}; known: SET (0), DELETE (1), APPEND (2), SUBTRACT (3)"
            );
            Err((ErrorCode::InvalidConfig, message))
        }
    }
}

/// Changes one topic, whole or not at all.
async fn alter(
    client: &Client,
    kind: i8,
    name: &str,
    validate_only: bool,
    change: impl FnOnce(&mut TopicSpec) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if kind != TOPIC {
        let message = format!("resource type {kind}; settings can be altered of topics (2) only");
        return Err((ErrorCode::InvalidRequest, message));
    }
    let topic = names::topic(client.broker(), name).ok_or_else(|| {
        let message = format!("no topic `{name}`");
        (ErrorCode::UnknownTopicOrPartition, message)
    })?;
    if validate_only {
        return change(&mut topic.spec());
    }
    let change = |spec: &mut TopicSpec| change(spec).map_err(Refused);
    let altered = client.broker().alter_topic(NAMESPACE, name, change).await;
    altered.map_err(|Refused(failure)| failure)
}

/// A failure, as the broker's call can give it back beside its own.
struct Refused(Failure);

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self(failure_of(&error))
    }
}

fn answer(kind: i8, name: String, altered: Result<(), Failure>) -> AlteredResource {
    let (code, message) = match altered {
        Ok(()) => (ErrorCode::None, None),
        Err((code, message)) => (code, Some(message)),
    };
    AlteredResource {
        error_code: code.number(),
        error_message: message,
        resource_type: kind,
        resource_name: name,
    }
}
