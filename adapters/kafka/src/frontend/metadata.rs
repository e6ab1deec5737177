//! Metadata: where topics are, which is here.

use std::sync::Arc;

use standpipe_core::{ErrorKind, broker::Topic};

use super::{
    AutoCreate,
    collisions::Collisions,
    distinct::distinct,
    epochs,
    failure::code_of,
    failures::Failures,
    names, operations,
    service::{Client, NAMESPACE, NODE},
    topics,
};
use crate::codec::{
    api::metadata::{
        MetadataRequest, MetadataResponse, PartitionMetadata, TopicAsked, TopicMetadata,
    },
    error_code::ErrorCode,
};

/// From then on a topic that is not known by its id has no name; before, an empty one.
const NULL_NAME: i16 = 12;

/// Whether a request is for all topics: its answer has any length, though it is short itself.
pub(super) fn is_of_all(request: &MetadataRequest, version: i16) -> bool {
    let topics = request.topics.as_ref();
    topics.is_none_or(|topics| version == 0 && topics.is_empty())
}

/// The broker, and the topics asked for; those that are missing come into being where the client
/// and the broker allow it.
pub(super) async fn answer(
    client: &Client,
    request: MetadataRequest,
    version: i16,
) -> MetadataResponse {
    let may_create =
        request.allow_auto_topic_creation && client.service.options().auto_create == AutoCreate::On;
    let is_of_all = is_of_all(&request, version);
    let asked = request.topics.filter(|_| !is_of_all);
    let mut topics: Vec<_> = match asked {
        None => names::topics(client.broker())
            .iter()
            .map(described)
            .collect(),
        Some(asked) => {
            // One that has a name is looked up by that, whatever its id.
            let asked = distinct(asked, |one| one.name.clone().ok_or(one.topic_id));
            let mut failures = Failures::new("topics could not be created");
            let mut creating = may_create.then(|| collisions(client, &asked));
            let mut topics = Vec::with_capacity(asked.len());
            for one in asked {
                topics.push(find(client, one, &mut creating, version, &mut failures).await);
            }
            topics
        }
    };
    let is_told = request.include_topic_authorized_operations;
    for topic in &mut topics {
        topic.topic_authorized_operations = operations::told(is_told, operations::ON_TOPIC);
    }
    let is_told = request.include_cluster_authorized_operations;
    MetadataResponse {
        brokers: vec![client.node()],
        cluster_id: Some(client.service.cluster_id().to_owned()),
        controller_id: NODE,
        topics,
        cluster_authorized_operations: operations::told(is_told, operations::ON_CLUSTER),
        ..Default::default()
    }
}

/// What is in the way of the topics that are to come into being.
fn collisions(client: &Client, asked: &[TopicAsked]) -> Collisions {
    let named = asked.iter().filter_map(|one| one.name.as_deref());
    Collisions::among(client.broker(), named)
}

/// A topic, which comes into being where it is missing and `creating` says what is in the way of that.
async fn find(
    client: &Client,
    asked: TopicAsked,
    creating: &mut Option<Collisions>,
    version: i16,
    failures: &mut Failures,
) -> TopicMetadata {
    let missing = |code: ErrorCode, name: Option<String>| TopicMetadata {
        error_code: code.number(),
        topic_id: asked.topic_id,
        name: name.or_else(|| (version < NULL_NAME).then(String::new)),
        ..Default::default()
    };
    let Some(name) = asked.name else {
        let found = names::topic_by_id(client.broker(), asked.topic_id);
        return found.map_or_else(
            || missing(ErrorCode::UnknownTopicId, None),
            |topic| described(&topic),
        );
    };
    if !names::is_legal(&name) {
        return missing(ErrorCode::InvalidTopic, Some(name));
    }
    if let Some(topic) = names::topic(client.broker(), &name) {
        return described(&topic);
    }
    let is_hidden = client.broker().topic(NAMESPACE, &name).is_some();
    let Some(collisions) = creating.as_mut().filter(|_| !is_hidden) else {
        return missing(ErrorCode::UnknownTopicOrPartition, Some(name));
    };
    if collisions.with(&name).is_some() {
        return missing(ErrorCode::InvalidTopic, Some(name));
    }
    match topics::ensure(client, &name).await {
        Ok(topic) => {
            collisions.add(topic.name());
            described(&topic)
        }
        Err(error) => {
            failures.add(&name, &error);
            let code = match error.kind() {
                ErrorKind::TooLarge => ErrorCode::PolicyViolation,
                _ => code_of(&error),
            };
            missing(code, Some(name))
        }
    }
}

fn described(topic: &Arc<Topic>) -> TopicMetadata {
    let partition = |index: u32| PartitionMetadata {
        partition_index: index.cast_signed(),
        leader_id: NODE,
        leader_epoch: epochs::current(topic),
        replica_nodes: vec![NODE],
        isr_nodes: vec![NODE],
        ..Default::default()
    };
    TopicMetadata {
        name: Some(topic.name().to_string()),
        topic_id: topic.id().0,
        is_internal: names::is_internal(topic.name()),
        partitions: (0..topic.partition_count()).map(partition).collect(),
        ..Default::default()
    }
}
