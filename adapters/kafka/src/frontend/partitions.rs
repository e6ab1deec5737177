//! CreatePartitions.

use standpipe_core::ErrorKind;

use super::{
    failure::{Failure, code_of},
    names,
    service::{Client, NAMESPACE, NODE},
};
use crate::codec::{
    api::topics::{CreatePartitionsRequest, CreatePartitionsResponse, GrowTopic, GrownTopic},
    error_code::ErrorCode,
};

/// Adds partitions to topics, each by itself; there is no way to take them away.
pub(super) async fn create(
    client: &Client,
    request: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let mut results = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let (code, message) = match grow(client, &topic, request.validate_only).await {
            Ok(()) => (ErrorCode::None, None),
            Err((code, message)) => (code, Some(message)),
        };
        results.push(GrownTopic {
            name: topic.name,
            error_code: code.number(),
            error_message: message,
        });
    }
    CreatePartitionsResponse {
        results,
        ..Default::default()
    }
}

async fn grow(client: &Client, asked: &GrowTopic, validate_only: bool) -> Result<(), Failure> {
    let (broker, name) = (client.broker(), &asked.name);
    let topic = names::topic(broker, name).ok_or_else(|| {
        let message = format!("no topic `{name}`");
        (ErrorCode::UnknownTopicOrPartition, message)
    })?;
    let (now, limit) = (topic.partition_count(), broker.limits().partitions);
    let count = u32::try_from(asked.count).unwrap_or(0);
    if count <= now || count > limit {
        let message = format!(
            "{} partitions; `{name}` has {now}, and {limit} are the most",
            asked.count
        );
        return Err((ErrorCode::InvalidPartitions, message));
    }
    if let Some(assignments) = &asked.assignments {
        let is_whole = assignments.len() == (count - now) as usize;
        if !is_whole || assignments.iter().any(|one| one.broker_ids != [NODE]) {
            let message =
                format!("each new partition goes to broker {NODE}, which is the only one");
            return Err((ErrorCode::InvalidReplicaAssignment, message));
        }
    }
    if validate_only {
        return Ok(());
    }
    let grown = broker.grow_topic(NAMESPACE, name, count).await;
    grown.map_err(|error| {
        let code = match error.kind() {
            ErrorKind::TooLarge => ErrorCode::PolicyViolation,
            _ => code_of(&error),
        };
        (code, error.to_string())
    })
}
