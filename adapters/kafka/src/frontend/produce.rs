//! Produce: batches are appended in the order of requests; confirms are waited for in the answer.

use std::time::Duration;

use bytes::Bytes;
use standpipe_core::{
    broker::{Append, Appended, Confirm},
    id::PartitionId,
    store::Durability,
};

use super::{
    dispatch::{Answer, later},
    failure::{Failure, append_failure, failure_of},
    names,
    prepare::{NAMED, Refused, prepare},
    service::Client,
};
use crate::codec::{
    Malformed,
    api::produce::{
        PartitionProduce, PartitionProduced, ProduceRequest, ProduceResponse, TopicProduced,
    },
    error_code::ErrorCode,
    header::RequestHeader,
    records::is_zstd,
};

/// The first version that carries batches of magic 2.
const BATCHES: i16 = 3;
/// The first version whose batches may be compressed with zstd (KIP-110).
const ZSTD: i16 = 7;
/// How long a confirm is waited for at least, whatever the client says.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// A batch that has its place, or not.
type Placed = Result<(Appended, i64), Refused>;

/// Appends the batches of a request.
///
/// # Errors
/// Where a batch is refused and the client wants no answer (acks = 0): only closing tells it.
pub(super) async fn begin(
    client: &Client,
    header: RequestHeader,
    request: ProduceRequest,
) -> Result<Answer, Malformed> {
    let refused = refusal(&header, &request);
    let wait = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
    let mut nameable = NAMED;
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in topic.partitions {
            let index = partition.index;
            let mut placed: Placed = match &refused {
                Some(failure) => Err(failure.clone().into()),
                None => match check_compression(header.version, &partition) {
                    Ok(()) => append(client, &topic.name, partition, request.acks).await,
                    Err(failure) => Err(failure.into()),
                },
            };
            if let Err(refused) = &mut placed {
                refused.name_at_most(&mut nameable);
            }
            partitions.push((index, placed));
        }
        topics.push((topic.name, partitions));
    }
    if request.acks != 0 {
        let held: usize = topics.iter().map(|(_, partitions)| held(partitions)).sum();
        let confirmed = confirmed(topics, wait.max(SHORTEST_WAIT));
        return Ok(later(header, held, confirmed));
    }
    let all = topics.into_iter().flat_map(|(_, partitions)| partitions);
    let failure = all.filter_map(|(_, placed)| placed.err()).next();
    failure.map_or(Ok(Answer::Nothing), |refused| {
        let (code, message) = refused.failure;
        Err(Malformed(format!("{code:?} without acks: {message}")))
    })
}

/// Octets that a topic's outcomes hold until they are told.
fn held(placed: &[(i32, Placed)]) -> usize {
    let refused = placed
        .iter()
        .filter_map(|(_, placed)| placed.as_ref().err());
    size_of_val(placed) + refused.map(Refused::octets).sum::<usize>()
}

/// Why nothing of a request is appended.
fn refusal(header: &RequestHeader, request: &ProduceRequest) -> Option<Failure> {
    if !(-1..=1).contains(&request.acks) {
        let message = format!("acks {}; 0, 1 and -1 are possible", request.acks);
        return Some((ErrorCode::InvalidRequiredAcks, message));
    }
    if header.version < BATCHES {
        let message = "messages of magic 0 and 1 are not taken; use Produce version 3 or later";
        return Some((ErrorCode::UnsupportedForMessageFormat, message.into()));
    }
    let code = ErrorCode::TransactionalIdAuthorizationFailed;
    let is_transactional = request.transactional_id.is_some();
    is_transactional.then(|| (code, "transactions are not implemented".into()))
}

fn check_compression(version: i16, partition: &PartitionProduce) -> Result<(), Failure> {
    let records = partition.records.as_ref();
    if version >= ZSTD || !records.is_some_and(|records| is_zstd(records)) {
        return Ok(());
    }
    let message = format!("zstd in Produce version {version}; use version {ZSTD} or later");
    Err((ErrorCode::UnsupportedCompressionType, message))
}

async fn append(client: &Client, topic: &str, partition: PartitionProduce, acks: i16) -> Placed {
    let (broker, index) = (client.broker(), partition.index);
    let missing = || {
        let message = format!("no partition {index} of a topic `{topic}`");
        (ErrorCode::UnknownTopicOrPartition, message)
    };
    let topic = names::topic(broker, topic).ok_or_else(missing)?;
    let number = PartitionId(u32::try_from(index).map_err(|_| missing())?);
    let start = topic.bounds(number).map_err(|_| missing())?.start;
    let records = partition.records.unwrap_or_default();
    check_size(client, &records)?;
    let prepared = prepare(client.service.workers(), &topic, &records).await?;
    let admission = broker.admit(prepared.octets()).await;
    let append = Append {
        topic: &topic,
        partition: number,
        draft: prepared.draft,
        pieces: prepared.pieces,
        durability: durability(acks),
        admission: admission.map_err(|error| failure_of(&error))?,
    };
    let appended = broker.append(append).map_err(append_failure)?;
    Ok((appended, start.0.cast_signed()))
}

fn check_size(client: &Client, records: &Bytes) -> Result<(), Failure> {
    let (size, limit) = (records.len(), client.broker().limits().message_bytes);
    if size <= limit {
        return Ok(());
    }
    let message = format!("a batch of {size} octets; the limit is {limit}");
    Err((ErrorCode::MessageTooLarge, message))
}

fn durability(acks: i16) -> Durability {
    match acks {
        0 => Durability::Memory,
        1 => Durability::Os,
        _ => Durability::Disk,
    }
}

async fn confirmed(topics: Vec<(String, Vec<(i32, Placed)>)>, wait: Duration) -> ProduceResponse {
    let mut responses = Vec::with_capacity(topics.len());
    for (name, placed) in topics {
        let mut partitions = Vec::with_capacity(placed.len());
        for (index, placed) in placed {
            partitions.push(produced(index, placed, wait).await);
        }
        responses.push(TopicProduced { name, partitions });
    }
    ProduceResponse {
        responses,
        ..Default::default()
    }
}

async fn produced(index: i32, placed: Placed, wait: Duration) -> PartitionProduced {
    let outcome = match placed {
        Ok((appended, start)) => {
            let base = appended.base_offset.0.cast_signed();
            let confirmed = confirm(appended.confirm, wait).await;
            confirmed.map(|()| (base, start)).map_err(Refused::from)
        }
        Err(refused) => Err(refused),
    };
    match outcome {
        Ok((base_offset, log_start_offset)) => PartitionProduced {
            index,
            base_offset,
            log_start_offset,
            ..Default::default()
        },
        Err(refused) => {
            let (code, message) = refused.failure;
            tracing::debug!(?code, %message, "a batch was refused");
            PartitionProduced {
                index,
                error_code: code.number(),
                record_errors: refused.records,
                error_message: Some(message),
                ..Default::default()
            }
        }
    }
}

async fn confirm(confirm: Confirm, wait: Duration) -> Result<(), Failure> {
    match tokio::time::timeout(wait, confirm.wait()).await {
        Ok(confirmed) => confirmed.map_err(|error| failure_of(&error)),
        Err(_) => {
            let message = format!("not durable within {} ms", wait.as_millis());
            Err((ErrorCode::RequestTimedOut, message))
        }
    }
}
