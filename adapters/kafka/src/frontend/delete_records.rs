//! DeleteRecords: partitions begin later from now on.

use standpipe_core::{
    Error, ErrorKind,
    id::{Offset, PartitionId},
};

use super::{failure::code_of, failures::Failures, names, service::Client, visible};
use crate::codec::{
    api::delete_records::{
        DeleteRecordsRequest, DeleteRecordsResponse, ShortenPartition, ShortenedPartition,
        ShortenedTopic,
    },
    error_code::ErrorCode,
};

/// The end of the partition.
const END: i64 = -1;

/// Takes what lies below the offsets away; that is on disk when this returns.
pub(super) async fn answer(
    client: &Client,
    request: DeleteRecordsRequest,
) -> DeleteRecordsResponse {
    let mut failures = Failures::new("records are not deleted");
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in topic.partitions {
            partitions.push(shorten(client, &topic.name, &partition, &mut failures).await);
        }
        topics.push(ShortenedTopic {
            name: topic.name,
            partitions,
        });
    }
    DeleteRecordsResponse {
        topics,
        ..Default::default()
    }
}

async fn shorten(
    client: &Client,
    topic: &str,
    asked: &ShortenPartition,
    failures: &mut Failures,
) -> ShortenedPartition {
    let shortened = match trim(client, topic, asked, failures).await {
        Ok(start) => (start.0.cast_signed(), ErrorCode::None),
        Err(code) => (-1, code),
    };
    let (low_watermark, code) = shortened;
    ShortenedPartition {
        partition_index: asked.partition_index,
        low_watermark,
        error_code: code.number(),
    }
}

async fn trim(
    client: &Client,
    name: &str,
    asked: &ShortenPartition,
    failures: &mut Failures,
) -> Result<Offset, ErrorCode> {
    let topic = names::topic(client.broker(), name).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let below = match asked.offset {
        END => None,
        offset => Some(Offset(
            u64::try_from(offset).map_err(|_| ErrorCode::OffsetOutOfRange)?,
        )),
    };
    let partition = PartitionId(asked.partition_index.cast_unsigned());
    visible::settled(client.broker(), [(topic.clone(), partition)]).await;
    let trimmed = client.broker().trim(&topic, partition, below).await;
    trimmed.map_err(|error| {
        failures.add(format_args!("{name}, partition {partition}"), &error);
        refused(&error)
    })
}

fn refused(error: &Error) -> ErrorCode {
    match error.kind() {
        ErrorKind::Invalid => ErrorCode::OffsetOutOfRange,
        ErrorKind::Denied => ErrorCode::PolicyViolation,
        _ => code_of(error),
    }
}
