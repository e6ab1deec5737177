//! ElectLeaders and reassignments, where one broker leads and has every partition.

use super::{
    failure::Failure,
    names,
    service::{Client, NODE},
};
use crate::codec::{
    api::replicas::{
        AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse,
        ElectLeadersRequest, ElectLeadersResponse, ElectedPartition, ElectedTopic,
        ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse, ReassignPartition,
        ReassignedPartition, ReassignedTopic,
    },
    error_code::ErrorCode,
};

/// No partition needs an election. Where all are asked for, Kafka leaves those out that need none.
pub(super) fn elect(client: &Client, request: ElectLeadersRequest) -> ElectLeadersResponse {
    let asked = request.topic_partitions.unwrap_or_default().into_iter();
    let results = asked.map(|asked| {
        let elect = |partition| {
            let needless = || {
                let message = format!("broker {NODE} leads it already");
                (ErrorCode::ElectionNotNeeded, message)
            };
            let missing = missing(client, &asked.topic, partition);
            let (code, message) = missing.unwrap_or_else(needless);
            ElectedPartition {
                partition_id: partition,
                error_code: code.number(),
                error_message: Some(message),
            }
        };
        ElectedTopic {
            partition_result: asked.partitions.iter().copied().map(elect).collect(),
            topic: asked.topic,
        }
    });
    ElectLeadersResponse {
        replica_election_results: results.collect(),
        ..Default::default()
    }
}

/// A partition can be moved to where it is, and nowhere else.
pub(super) fn reassign(
    client: &Client,
    request: AlterPartitionReassignmentsRequest,
) -> AlterPartitionReassignmentsResponse {
    let responses = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|asked| {
            let moved = move_one(client, &topic.name, &asked);
            let (code, message) = match moved {
                Ok(()) => (ErrorCode::None, None),
                Err((code, message)) => (code, Some(message)),
            };
            ReassignedPartition {
                partition_index: asked.partition_index,
                error_code: code.number(),
                error_message: message,
            }
        });
        ReassignedTopic {
            partitions: partitions.collect(),
            name: topic.name,
        }
    });
    AlterPartitionReassignmentsResponse {
        responses: responses.collect(),
        ..Default::default()
    }
}

/// Nothing is ever on the move.
pub(super) fn ongoing(
    _: &Client,
    _: ListPartitionReassignmentsRequest,
) -> ListPartitionReassignmentsResponse {
    ListPartitionReassignmentsResponse::default()
}

fn move_one(client: &Client, topic: &str, asked: &ReassignPartition) -> Result<(), Failure> {
    if let Some(failure) = missing(client, topic, asked.partition_index) {
        return Err(failure);
    }
    match asked.replicas.as_deref() {
        Some([NODE]) => Ok(()),
        None => {
            let message = "it is not on the move".into();
            Err((ErrorCode::NoReassignmentInProgress, message))
        }
        Some(replicas) => {
            let message = format!("brokers {replicas:?}; there is {NODE} only");
            Err((ErrorCode::InvalidReplicaAssignment, message))
        }
    }
}

fn missing(client: &Client, topic: &str, partition: i32) -> Option<Failure> {
    let found = names::topic(client.broker(), topic);
    let is_there = found.is_some_and(|found| partition.cast_unsigned() < found.partition_count());
    let message = || format!("no partition {partition} of a topic `{topic}`");
    (!is_there).then(|| (ErrorCode::UnknownTopicOrPartition, message()))
}
