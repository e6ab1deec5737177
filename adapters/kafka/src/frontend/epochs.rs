//! Leader epochs: what clients know of a partition's leader, and OffsetForLeaderEpoch, which tells a
//! reader whether the log still has what it read (KIP-101, KIP-320).

use std::sync::Arc;

use standpipe_core::{
    broker::{Topic, TopicBounds},
    id::{Offset, PartitionId},
};

use super::{failure::code_of, failures::Failures, names, service::Client};
use crate::codec::{
    api::{
        fetch::{DivergingEpoch, FetchPartition},
        list_offsets::{EndedPartition, EndedTopic, EpochPartition, EpochsRequest, EpochsResponse},
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

/// Where the log and what a reader has of it part: the epoch of what it read last ended before the
/// offset at which it reads on (KIP-595). `None` where they do not, and for one that does not say.
/// Kafka takes it for the same where its log has nothing of that epoch; here that may be compacted away.
///
/// # Errors
/// `OFFSET_OUT_OF_RANGE` for an epoch that never was, and the store's.
pub(super) async fn diverging(
    topic: &Topic,
    number: PartitionId,
    reader: &FetchPartition,
    bounds: TopicBounds,
    failures: &mut Failures,
) -> Result<Option<DivergingEpoch>, ErrorCode> {
    let said = u32::try_from(reader.last_fetched_epoch).ok();
    let read = said.zip(u64::try_from(reader.fetch_offset).ok());
    // What is below the start was let go: that is told otherwise.
    let Some((last, from)) = read.filter(|(_, from)| *from >= bounds.start.0) else {
        return Ok(None);
    };
    let ended = end_of(topic, number, last, failures).await?;
    let (epoch, stable) = ended.ok_or(ErrorCode::OffsetOutOfRange)?;
    let end = match epoch == topic.leader_epoch() {
        // Of the current epoch is what is not visible yet as well.
        true => stable.max(bounds.end),
        false => stable,
    };
    let diverging = (end.0 < from).then(|| DivergingEpoch {
        epoch: epoch.cast_signed(),
        end_offset: end.0.cast_signed(),
    });
    Ok(diverging)
}

/// See [`Topic::epoch_end`].
async fn end_of(
    topic: &Topic,
    number: PartitionId,
    epoch: u32,
    failures: &mut Failures,
) -> Result<Option<(u32, Offset)>, ErrorCode> {
    topic.epoch_end(number, epoch).await.map_err(|error| {
        failures.add(format_args!("{}, partition {number}", topic.name()), &error);
        code_of(&error)
    })
}

/// Where the epochs asked for ended.
pub(super) async fn answer(client: &Client, request: EpochsRequest) -> EpochsResponse {
    let mut failures = Failures::new("ends of leader epochs were not found");
    let mut topics = Vec::with_capacity(request.topics.len());
    for asked in request.topics {
        let topic = names::topic(client.broker(), &asked.topic);
        let mut partitions = Vec::with_capacity(asked.partitions.len());
        for partition in asked.partitions {
            partitions.push(ended(topic.as_ref(), &partition, &mut failures).await);
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

async fn ended(
    topic: Option<&Arc<Topic>>,
    asked: &EpochPartition,
    failures: &mut Failures,
) -> EndedPartition {
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
    match end_of(topic, number, epoch, failures).await {
        Ok(Some((epoch, end))) => {
            answer.leader_epoch = epoch.cast_signed();
            answer.end_offset = end.0.cast_signed();
        }
        Ok(None) => {}
        Err(code) => answer.error_code = code.number(),
    }
    answer
}
