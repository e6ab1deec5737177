//! DescribeLogDirs and AlterReplicaLogDirs: what partitions take in the store, where they stay.

use std::sync::Arc;

use standpipe_core::{Result, broker::Topic, id::PartitionId};

use super::{failure::code_of, names, service::Client};
use crate::codec::{
    api::log_dirs::{
        AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse, DescribeLogDirsRequest,
        DescribeLogDirsResponse, LogDir, LogDirPartition, LogDirTopic, MovedPartition, MovedResult,
    },
    error_code::ErrorCode,
};

/// All logs are in one store, which has no folder a topic or partition.
const STORE: &str = "standpipe-store";

/// The sizes of partitions; those that are not there are left out, as Kafka does.
pub(super) async fn answer(
    client: &Client,
    request: DescribeLogDirsRequest,
) -> DescribeLogDirsResponse {
    let broker = client.broker();
    let asked: Vec<(Arc<Topic>, Vec<u32>)> = match request.topics {
        None => {
            let all = names::topics(broker).into_iter();
            all.map(|topic| {
                let partitions = (0..topic.partition_count()).collect();
                (topic, partitions)
            })
            .collect()
        }
        Some(topics) => {
            let found = topics.into_iter().filter_map(|asked| {
                let topic = names::topic(broker, &asked.topic)?;
                let partitions = asked.partitions.into_iter();
                Some((topic, partitions.map(i32::cast_unsigned).collect()))
            });
            found.collect()
        }
    };
    let (topics, error_code) = match sizes(asked).await {
        Ok(topics) => (topics, ErrorCode::None),
        Err(error) => {
            tracing::warn!(%error, "sizes of logs cannot be told");
            (Vec::new(), code_of(&error))
        }
    };
    DescribeLogDirsResponse {
        results: vec![LogDir {
            error_code: error_code.number(),
            log_dir: STORE.into(),
            topics,
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// Moves partitions to where they are: there is one folder, and another is not found.
pub(super) fn alter(
    client: &Client,
    request: AlterReplicaLogDirsRequest,
) -> AlterReplicaLogDirsResponse {
    let moves = request.dirs.into_iter().flat_map(|dir| {
        let is_here = dir.path == STORE;
        dir.topics.into_iter().map(move |topic| (topic, is_here))
    });
    let results = moves.map(|(topic, is_here)| {
        let found = names::topic(client.broker(), &topic.name);
        let count = found.map_or(0, |found| found.partition_count());
        let partitions = topic.partitions.into_iter().map(|partition_index| {
            let code = match partition_index.cast_unsigned() {
                _ if !is_here => ErrorCode::LogDirNotFound,
                missing if missing >= count => ErrorCode::UnknownTopicOrPartition,
                _ => ErrorCode::None,
            };
            MovedPartition {
                partition_index,
                error_code: code.number(),
            }
        });
        MovedResult {
            partitions: partitions.collect(),
            topic_name: topic.name,
        }
    });
    AlterReplicaLogDirsResponse {
        results: results.collect(),
        ..Default::default()
    }
}

async fn sizes(asked: Vec<(Arc<Topic>, Vec<u32>)>) -> Result<Vec<LogDirTopic>> {
    let mut topics = Vec::with_capacity(asked.len());
    for (topic, numbers) in asked {
        let count = topic.partition_count();
        let mut partitions = Vec::with_capacity(numbers.len());
        for number in numbers.into_iter().filter(|number| *number < count) {
            let octets = topic.octets(PartitionId(number)).await?;
            partitions.push(LogDirPartition {
                partition_index: number.cast_signed(),
                partition_size: i64::try_from(octets).unwrap_or(i64::MAX),
                ..Default::default()
            });
        }
        if !partitions.is_empty() {
            topics.push(LogDirTopic {
                name: topic.name().to_string(),
                partitions,
            });
        }
    }
    Ok(topics)
}
