//! CreateTopics and DeleteTopics.

use std::{collections::HashSet, sync::Arc};

use standpipe_core::{
    ErrorKind,
    broker::{Topic, TopicSpec},
};
use uuid::Uuid;

use super::{
    collisions::Collisions,
    failure::{Failure, code_of},
    names,
    service::{Client, NAMESPACE, NODE},
    settings,
};
use crate::codec::{
    api::topics::{
        CreatableTopic, CreateTopicsRequest, CreateTopicsResponse, CreatedConfig, CreatedTopic,
        DeletableTopic, DeleteTopicsRequest, DeleteTopicsResponse, DeletedTopic,
    },
    error_code::ErrorCode,
};

/// From then on topics are deleted by name or id.
const DELETE_BY_ID: i16 = 6;
/// Where a setting's value comes from, as Kafka numbers it.
pub(super) const SET_ON_TOPIC: i8 = 1;
pub(super) const DEFAULT: i8 = 5;

/// The topic of that name, made with the defaults where there is none.
///
/// # Errors
/// As [`standpipe_core::broker::Broker::create_topic`].
pub(super) async fn ensure(client: &Client, name: &str) -> standpipe_core::Result<Arc<Topic>> {
    let mut spec = TopicSpec::new(NAMESPACE, name);
    spec.partitions = client.service.options().num_partitions.get();
    match client.broker().create_topic(spec).await {
        Err(error) if error.kind() == ErrorKind::Exists => {
            client.broker().topic(NAMESPACE, name).ok_or(error)
        }
        created => created,
    }
}

/// Creates topics, each by itself; they are on disk when this returns.
pub(super) async fn create(client: &Client, request: CreateTopicsRequest) -> CreateTopicsResponse {
    let mut seen = HashSet::new();
    let names = request.topics.iter().map(|topic| topic.name.clone());
    let repeated: HashSet<String> = names.filter(|name| !seen.insert(name.clone())).collect();
    let named = request.topics.iter().map(|topic| topic.name.as_str());
    let mut collisions = Collisions::among(client.broker(), named);
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let created = if repeated.contains(&topic.name) {
            let message = format!("`{}` stands more than once in the request", topic.name);
            Err((ErrorCode::InvalidRequest, message))
        } else {
            create_one(client, &topic, &mut collisions, request.validate_only).await
        };
        topics.push(created.unwrap_or_else(|(code, message)| CreatedTopic {
            name: topic.name,
            error_code: code.number(),
            error_message: Some(message),
            configs: Some(Vec::new()),
            ..Default::default()
        }));
    }
    CreateTopicsResponse {
        topics,
        ..Default::default()
    }
}

/// That a topic exists is told before what is wrong with the request otherwise: who makes sure that it
/// is there need not know how it was made.
async fn create_one(
    client: &Client,
    asked: &CreatableTopic,
    collisions: &mut Collisions,
    validate_only: bool,
) -> Result<CreatedTopic, Failure> {
    let (broker, name) = (client.broker(), &asked.name);
    let exists = || {
        (
            ErrorCode::TopicAlreadyExists,
            format!("topic `{name}` exists"),
        )
    };
    if !names::is_legal(name) {
        return Err((ErrorCode::InvalidTopic, names::illegal(name)));
    }
    if broker.topic(NAMESPACE, name).is_some() {
        return Err(exists());
    }
    if let Some(other) = collisions.with(name) {
        let message =
            format!("`{name}` is like topic `{other}`: names must differ in more than `.` and `_`");
        return Err((ErrorCode::InvalidTopic, message));
    }
    let spec = spec_of(client, asked)?;
    let topic_id = if validate_only {
        Uuid::nil()
    } else {
        let created = broker.create_topic(spec.clone()).await;
        let topic = created.map_err(|error| match error.kind() {
            ErrorKind::Exists => exists(),
            ErrorKind::Invalid => (ErrorCode::InvalidPartitions, error.to_string()),
            ErrorKind::TooLarge => (ErrorCode::PolicyViolation, error.to_string()),
            _ => (code_of(&error), error.to_string()),
        })?;
        collisions.add(topic.name());
        topic.id().0
    };
    let settings = settings::of_topic(&spec, broker.limits()).into_iter();
    let configs = settings.map(|setting| CreatedConfig {
        name: setting.name.into(),
        value: Some(setting.value),
        read_only: setting.is_fixed,
        config_source: if setting.is_default {
            DEFAULT
        } else {
            SET_ON_TOPIC
        },
        is_sensitive: false,
    });
    Ok(CreatedTopic {
        name: name.clone(),
        topic_id,
        num_partitions: spec.partitions.cast_signed(),
        replication_factor: 1,
        configs: Some(configs.collect()),
        ..Default::default()
    })
}

/// What is asked for as the core has it.
fn spec_of(client: &Client, asked: &CreatableTopic) -> Result<TopicSpec, Failure> {
    let limits = client.broker().limits();
    let mut spec = TopicSpec::new(NAMESPACE, &asked.name);
    let default = client.service.options().num_partitions.get();
    spec.partitions = partitions_of(asked, default, limits.partitions)?;
    if !matches!(asked.replication_factor, -1 | 1) {
        let message = format!("{} replicas; there is one broker", asked.replication_factor);
        return Err((ErrorCode::InvalidReplicationFactor, message));
    }
    let mut configs: Vec<_> = asked.configs.iter().collect();
    configs.sort_by_key(|config| settings::rank(&config.name));
    for config in configs {
        settings::set(&mut spec, limits, &config.name, config.value.as_deref())?;
    }
    Ok(spec)
}

fn partitions_of(asked: &CreatableTopic, default: u32, limit: u32) -> Result<u32, Failure> {
    if !asked.assignments.is_empty() {
        return assigned(asked);
    }
    match asked.num_partitions {
        -1 => Ok(default),
        count if (1..=limit.cast_signed()).contains(&count) => Ok(count.cast_unsigned()),
        count => {
            let message = format!("{count} partitions; 1 to {limit} are possible");
            Err((ErrorCode::InvalidPartitions, message))
        }
    }
}

/// Partitions that are assigned to brokers by hand: all to the one there is, from 0 without a gap.
fn assigned(asked: &CreatableTopic) -> Result<u32, Failure> {
    if asked.num_partitions != -1 || asked.replication_factor != -1 {
        let message = "an assignment beside a number of partitions or replicas";
        return Err((ErrorCode::InvalidRequest, message.into()));
    }
    let numbers: HashSet<i32> = asked
        .assignments
        .iter()
        .map(|one| one.partition_index)
        .collect();
    let count = i32::try_from(asked.assignments.len()).unwrap_or(i32::MAX);
    let is_dense = (0..count).all(|number| numbers.contains(&number));
    let is_here = asked.assignments.iter().all(|one| one.broker_ids == [NODE]);
    if !is_dense || !is_here {
        let message = format!("partitions go from 0 without a gap, each to broker {NODE}");
        return Err((ErrorCode::InvalidReplicaAssignment, message));
    }
    Ok(count.cast_unsigned())
}

/// Deletes topics, each by itself.
pub(super) async fn delete(
    client: &Client,
    request: DeleteTopicsRequest,
    version: i16,
) -> DeleteTopicsResponse {
    let asked = if version >= DELETE_BY_ID {
        request.topics
    } else {
        let names = request.topic_names.into_iter();
        let by_name = names.map(|name| DeletableTopic {
            name: Some(name),
            ..Default::default()
        });
        by_name.collect()
    };
    let mut responses = Vec::with_capacity(asked.len());
    for topic in asked {
        responses.push(delete_one(client, topic).await);
    }
    DeleteTopicsResponse {
        responses,
        ..Default::default()
    }
}

async fn delete_one(client: &Client, asked: DeletableTopic) -> DeletedTopic {
    let broker = client.broker();
    let (found, missing) = match &asked.name {
        Some(name) => (
            names::topic(broker, name),
            ErrorCode::UnknownTopicOrPartition,
        ),
        None => (
            names::topic_by_id(broker, asked.topic_id),
            ErrorCode::UnknownTopicId,
        ),
    };
    let mut deleted = DeletedTopic {
        name: asked.name,
        topic_id: asked.topic_id,
        ..Default::default()
    };
    let Some(topic) = found else {
        deleted.error_code = missing.number();
        deleted.error_message = Some("no such topic".into());
        return deleted;
    };
    deleted.name = Some(topic.name().to_string());
    deleted.topic_id = topic.id().0;
    if let Err(error) = broker.delete_topic(NAMESPACE, topic.name()).await {
        deleted.error_code = code_of(&error).number();
        deleted.error_message = Some(error.to_string());
    }
    deleted
}
