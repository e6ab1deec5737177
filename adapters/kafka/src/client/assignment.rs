//! The partitions of a topic.

use rdkafka::{error::IsError, metadata::Metadata, types::RDKafkaErrorCode};
use standpipe_core::{Error, ErrorKind, Result};

use super::failure::failure;

/// The topic's partitions, sorted.
///
/// # Errors
/// `NotFound` where there is no such topic, or what the broker said about it.
pub(super) fn partitions(metadata: &Metadata, topic: &str) -> Result<Vec<i32>> {
    let missing = || {
        Error::new(
            ErrorKind::NotFound,
            "look for the topic",
            format!("no topic `{topic}`"),
        )
    };
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let found = found.ok_or_else(missing)?;
    match found.error() {
        Some(code) if code.is_error() => {
            let code = RDKafkaErrorCode::from(code);
            let unknown = [
                RDKafkaErrorCode::UnknownTopicOrPartition,
                RDKafkaErrorCode::UnknownTopic,
            ];
            if unknown.contains(&code) {
                return Err(missing());
            }
            let cause = rdkafka::error::KafkaError::MetadataFetch(code);
            return Err(failure("look for the topic", cause));
        }
        _ => {}
    }
    let mut partitions: Vec<i32> = found.partitions().iter().map(|p| p.id()).collect();
    partitions.sort_unstable();
    if partitions.is_empty() {
        Err(missing())
    } else {
        Ok(partitions)
    }
}
