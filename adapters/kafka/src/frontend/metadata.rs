//! Metadata: where topics are, which is here.

use std::sync::Arc;

use standpipe_core::{ErrorKind, broker::Topic};

use super::{
    failure::code_of,
    names,
    service::{Client, NAMESPACE, NODE},
};
use crate::codec::{
    api::metadata::{
        MetadataRequest, MetadataResponse, PartitionMetadata, TopicAsked, TopicMetadata,
    },
    error_code::ErrorCode,
};

/// The broker, and the topics asked for; those that are missing come into being where the client
/// allows it.
pub(super) async fn answer(
    client: &Client,
    request: MetadataRequest,
    version: i16,
) -> MetadataResponse {
    let asked = request
        .topics
        .filter(|topics| version > 0 || !topics.is_empty());
    let topics = match asked {
        None => names::topics(client.broker())
            .iter()
            .map(described)
            .collect(),
        Some(asked) => {
            let mut topics = Vec::with_capacity(asked.len());
            for one in asked {
                topics.push(find(client, one, request.allow_auto_topic_creation).await);
            }
            topics
        }
    };
    MetadataResponse {
        brokers: vec![client.node()],
        cluster_id: Some(client.service.cluster_id().to_owned()),
        controller_id: NODE,
        topics,
        ..Default::default()
    }
}

async fn find(client: &Client, asked: TopicAsked, may_create: bool) -> TopicMetadata {
    let missing = |code: ErrorCode, name: Option<String>| TopicMetadata {
        error_code: code.number(),
        topic_id: asked.topic_id,
        // Only from version 12 on a name may be null; an empty one is read by all.
        name: name.or(Some(String::new())),
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
    if !may_create || is_hidden {
        return missing(ErrorCode::UnknownTopicOrPartition, Some(name));
    }
    match client.broker().ensure_topic(NAMESPACE, &name).await {
        Ok(topic) => described(&topic),
        Err(error) => {
            tracing::warn!(%error, topic = %name, "a topic could not be created");
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
        replica_nodes: vec![NODE],
        isr_nodes: vec![NODE],
        ..Default::default()
    };
    TopicMetadata {
        name: Some(topic.name().to_string()),
        topic_id: topic.id().0,
        partitions: (0..topic.partition_count()).map(partition).collect(),
        ..Default::default()
    }
}
