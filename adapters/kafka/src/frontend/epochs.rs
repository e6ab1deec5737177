//! Leader epochs: what clients know of a partition's leader, and OffsetForLeaderEpoch, which tells a
//! reader whether the log still has what it read (KIP-101, KIP-320).

use std::sync::Arc;

use standpipe_core::{broker::Topic, id::PartitionId};

use super::{failure::code_of, names, service::Client};
use crate::codec::{
    api::list_offsets::{
        EndedPartition, EndedTopic, EpochPartition, EpochsRequest, EpochsResponse,
    },
    error_code::ErrorCode,
};

/// A topic's leader epoch on the wire.
pub(super) fn current(topic: &Topic) -> i32 {
    topic.leader_epoch().cast_signed()
}

/// Checks the epoch that a client believes to be the current one; negative where it does not say.
///
/// # Errors
/// `FENCED_LEADER_EPOCH` where it is behind, `UNKNOWN_LEADER_EPOCH` where it is ahead.
pub(super) fn check(topic: &Topic, believed: i32) -> Result<(), ErrorCode> {
    let current = current(topic);
    match believed {
        silent if silent < 0 => Ok(()),
        behind if behind < current => Err(ErrorCode::FencedLeaderEpoch),
        ahead if ahead > current => Err(ErrorCode::UnknownLeaderEpoch),
        _ => Ok(()),
    }
}

/// Where the epochs asked for ended.
pub(super) async fn answer(client: &Client, request: EpochsRequest) -> EpochsResponse {
    let mut topics = Vec::with_capacity(request.topics.len());
    for asked in request.topics {
        let topic = names::topic(client.broker(), &asked.topic);
        let mut partitions = Vec::with_capacity(asked.partitions.len());
        for partition in asked.partitions {
            partitions.push(ended(topic.as_ref(), &partition).await);
        }
        topics.push(EndedTopic {
            topic: asked.topic,
            partitions,
        });
    }
    EpochsResponse {
        topics,
        ..Default::default()
    }
}

async fn ended(topic: Option<&Arc<Topic>>, asked: &EpochPartition) -> EndedPartition {
    let mut answer = EndedPartition {
        partition: asked.partition,
        ..Default::default()
    };
    let number = PartitionId(asked.partition.cast_unsigned());
    let Some(topic) = topic.filter(|topic| topic.bounds(number).is_ok()) else {
        answer.error_code = ErrorCode::UnknownTopicOrPartition.number();
        return answer;
    };
    if let Err(code) = check(topic, asked.current_leader_epoch) {
        answer.error_code = code.number();
        return answer;
    }
    let Ok(epoch) = u32::try_from(asked.leader_epoch) else {
        return answer;
    };
    match topic.epoch_end(number, epoch).await {
        Ok(Some((epoch, end))) => {
            answer.leader_epoch = epoch.cast_signed();
            answer.end_offset = end.0.cast_signed();
        }
        Ok(None) => {}
        Err(error) => {
            tracing::warn!(%error, topic = %topic.name(), "a leader epoch's end was not found");
            answer.error_code = code_of(&error).number();
        }
    }
    answer
}
