//! Fetch: batches from an offset on, or a wait until there are some.

use std::{
    ops::{Range, RangeInclusive},
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream::FuturesUnordered};
use standpipe_core::{
    ErrorKind,
    broker::{Topic, TopicBounds},
    entry::Entry,
    id::{Offset, PartitionId},
    store::ReadLimit,
};
use tokio::time::Instant;

use super::{
    batches, epochs, failure::code_of, failures::Failures, names, service::Client, settings,
    visible,
};
use crate::codec::{
    api::fetch::{
        FetchPartition, FetchRequest, FetchResponse, FetchTopic, FetchedPartition, FetchedTopic,
    },
    error_code::ErrorCode,
    records::Packing,
};

/// Octets of one answer, whatever the client would take: a client that does not read holds as much.
/// The first batch comes whatever its size.
const ANSWER_LIMIT: usize = 1 << 20;
/// Entries read of a partition at once.
const ENTRIES: usize = 4096;
/// The longest wait that a client is granted.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(600);
const READ_COMMITTED: i8 = 1;
/// From then on clients are given what a topic compresses with zstd (KIP-110).
const ZSTD: i16 = 10;
/// Epochs of a fetch that names all its partitions (KIP-227): the last of a session, whatever the
/// session's id, and the first of one, which may be answered without a session.
const SESSIONLESS: RangeInclusive<i32> = -1..=0;

/// One look at all partitions.
struct Round {
    version: i16,
    topics: Vec<FetchedTopic>,
    bytes: usize,
    failed: bool,
    /// There is more than one answer takes: nothing is to be waited for.
    is_cut: bool,
    /// What to wait for: partitions, and the end that was seen.
    ends: Vec<(Arc<Topic>, PartitionId, Offset)>,
    /// Partitions that the store did not read.
    unread: Failures,
    /// Entries that readers do not get.
    skipped: Failures,
}

/// Batches of the partitions asked for, as soon as there are as many octets as the client wants,
/// or its time is over, which is `longest` at most. There are no fetch sessions: each request names its partitions.
pub(super) async fn answer(
    client: &Client,
    request: &FetchRequest,
    version: i16,
    longest: Duration,
) -> FetchResponse {
    if !SESSIONLESS.contains(&request.session_epoch) {
        return FetchResponse {
            error_code: ErrorCode::FetchSessionIdNotFound.number(),
            ..Default::default()
        };
    }
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let deadline = Instant::now() + wait.min(longest);
    let enough = usize::try_from(request.min_bytes).unwrap_or(0);
    let enough = enough.min(most(request));
    let mut round = look(client, request, version).await;
    // A reader of what lies before it is not held up where the disk is.
    let is_at_end = !round.is_cut && !round.failed;
    if is_at_end && visible::settled(client.broker(), asked_for(client, request)).await {
        round = look(client, request, version).await;
    }
    loop {
        let is_over = Instant::now() >= deadline || client.gone.is_cancelled();
        if round.bytes >= enough || round.is_cut || round.failed || is_over {
            return FetchResponse {
                responses: round.topics,
                ..Default::default()
            };
        }
        wait_for_more(client, round.ends, deadline).await;
        round = look(client, request, version).await;
    }
}

/// The partitions that have, or will have, something for this reader.
fn asked_for(client: &Client, request: &FetchRequest) -> Vec<(Arc<Topic>, PartitionId)> {
    let mut found = Vec::new();
    for asked in &request.topics {
        let Ok(topic) = find(client, asked) else {
            continue;
        };
        found.extend(asked.partitions.iter().filter_map(|wanted| {
            let number = PartitionId(wanted.partition.cast_unsigned());
            let end = topic.bounds(number).ok()?.end.0;
            let has_more = u64::try_from(wanted.fetch_offset).is_ok_and(|from| from < end);
            has_more.then(|| (topic.clone(), number))
        }));
    }
    found
}

/// Octets that an answer has at most.
fn most(request: &FetchRequest) -> usize {
    let limit = usize::try_from(request.max_bytes).unwrap_or(0);
    limit.min(ANSWER_LIMIT)
}

/// Returns when a partition has grown, at the deadline, or when the client is gone.
async fn wait_for_more(
    client: &Client,
    ends: Vec<(Arc<Topic>, PartitionId, Offset)>,
    deadline: Instant,
) {
    let mut changes: FuturesUnordered<_> = ends
        .into_iter()
        .map(|(topic, partition, end)| async move { topic.changed(partition, end).await })
        .collect();
    let changed = async {
        if changes.next().await.is_none() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = changed => {}
        () = tokio::time::sleep_until(deadline) => {}
        () = client.gone.cancelled() => {}
    }
}

async fn look(client: &Client, request: &FetchRequest, version: i16) -> Round {
    let mut room = most(request);
    let mut round = Round {
        version,
        topics: Vec::with_capacity(request.topics.len()),
        bytes: 0,
        failed: false,
        is_cut: false,
        ends: Vec::new(),
        unread: Failures::grave("fetches failed"),
        skipped: Failures::new("unconvertible: Kafka's readers skip it"),
    };
    let is_committed = request.isolation_level == READ_COMMITTED;
    for asked in &request.topics {
        let topic = find(client, asked);
        let mut partitions = Vec::with_capacity(asked.partitions.len());
        for wanted in &asked.partitions {
            let mut fetched = match &topic {
                Ok(topic) => read(client, topic, wanted, room, &mut round).await,
                Err(code) => refused(wanted.partition, *code),
            };
            let bytes = fetched.records.as_ref().map_or(0, Bytes::len);
            fetched.aborted_transactions = is_committed.then(Vec::new);
            round.failed |= fetched.error_code != 0 || fetched.diverging_epoch.is_some();
            round.bytes += bytes;
            room = room.saturating_sub(bytes);
            partitions.push(fetched);
        }
        round.topics.push(FetchedTopic {
            topic: asked.topic.clone(),
            topic_id: asked.topic_id,
            partitions,
        });
    }
    round
}

fn find(client: &Client, asked: &FetchTopic) -> Result<Arc<Topic>, ErrorCode> {
    if asked.topic_id.is_nil() {
        let found = names::topic(client.broker(), &asked.topic);
        return found.ok_or(ErrorCode::UnknownTopicOrPartition);
    }
    names::topic_by_id(client.broker(), asked.topic_id).ok_or(ErrorCode::UnknownTopicId)
}

async fn read(
    client: &Client,
    topic: &Arc<Topic>,
    wanted: &FetchPartition,
    room: usize,
    round: &mut Round,
) -> FetchedPartition {
    let index = wanted.partition;
    let number = PartitionId(index.cast_unsigned());
    let Ok(bounds) = topic.bounds(number) else {
        return refused(index, ErrorCode::UnknownTopicOrPartition);
    };
    if let Err(code) = check(topic, wanted, round.version) {
        return refused(index, code);
    }
    match epochs::diverging(topic, number, wanted, bounds, &mut round.unread).await {
        Ok(None) => {}
        Ok(diverging_epoch) => {
            return FetchedPartition {
                diverging_epoch,
                ..fetched(index, bounds, (Bytes::new(), bounds.stable))
            };
        }
        Err(code) => return refused(index, code),
    }
    let from = match u64::try_from(wanted.fetch_offset) {
        Ok(from) if (bounds.start.0..=bounds.end.0).contains(&from) => Offset(from),
        _ => return out_of_range(index, bounds),
    };
    round.ends.push((topic.clone(), number, bounds.stable));
    // What was appended and is not visible yet is waited for, as Kafka's is up to its end.
    let records = if from >= bounds.stable || (room == 0 && round.bytes > 0) {
        Ok((Bytes::new(), from))
    } else {
        let wanted = usize::try_from(wanted.partition_max_bytes).unwrap_or(0);
        let limit = ReadLimit {
            bytes: wanted.min(room),
            entries: ENTRIES,
        };
        let may_exceed = round.bytes == 0;
        read_records(
            client,
            topic,
            number,
            from..bounds.stable,
            (limit, may_exceed),
            round,
        )
        .await
    };
    match records {
        Ok((records, end)) => {
            round.is_cut |= end < bounds.stable;
            fetched(index, bounds, (records, end))
        }
        Err(code) => refused(index, code),
    }
}

/// # Errors
/// Why a client is not given what a topic has.
fn check(topic: &Topic, wanted: &FetchPartition, version: i16) -> Result<(), ErrorCode> {
    epochs::check(topic, wanted.current_leader_epoch)?;
    if version < ZSTD && matches!(settings::packing(topic), Some(Packing::Zstd(_))) {
        return Err(ErrorCode::UnsupportedCompressionType);
    }
    Ok(())
}

/// Batches from the one that covers the start on. One that is larger than the limit comes only
/// where it `may_exceed` it. Where nothing is left of the whole range, an empty batch takes the
/// reader to its end, as a compacted log of Kafka's does. With them comes the first offset behind
/// them.
async fn read_records(
    client: &Client,
    topic: &Arc<Topic>,
    partition: PartitionId,
    range: Range<Offset>,
    (limit, may_exceed): (ReadLimit, bool),
    round: &mut Round,
) -> Result<(Bytes, Offset), ErrorCode> {
    let entries = match topic.read(partition, range.start, limit).await {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        Err(error) => {
            let name = topic.name();
            round
                .unread
                .add(format_args!("{name}, partition {partition}"), &error);
            return Err(match error.kind() {
                // The other would say that another broker has it: clients would ask for ever.
                ErrorKind::Corrupt => ErrorCode::CorruptMessage,
                _ => code_of(&error),
            });
        }
    };
    let first = entries.first().map_or(0, |entry| entry.body().len());
    if first > limit.bytes && !may_exceed {
        return Ok((Bytes::new(), range.start));
    }
    let mut records = BytesMut::new();
    if entries.is_empty() {
        batches::put_nothing_below(range.end, &mut records);
    }
    batches::put(
        &entries,
        client.broker().codecs(),
        topic.name(),
        &mut round.skipped,
        &mut records,
    );
    let end = entries.last().map_or(range.end, Entry::end_offset);
    Ok((records.freeze(), end))
}

/// Records that end before `end`. More may have become visible between the look at the bounds and the
/// read, and no record is at the high watermark or above.
pub(super) fn fetched(
    index: i32,
    bounds: TopicBounds,
    (records, end): (Bytes, Offset),
) -> FetchedPartition {
    let visible = match records.is_empty() {
        true => bounds.stable,
        false => bounds.stable.max(end),
    };
    let stable = visible.0.cast_signed();
    FetchedPartition {
        partition_index: index,
        high_watermark: stable,
        last_stable_offset: stable,
        log_start_offset: bounds.start.0.cast_signed(),
        records: Some(records),
        ..Default::default()
    }
}

fn out_of_range(index: i32, bounds: TopicBounds) -> FetchedPartition {
    FetchedPartition {
        high_watermark: bounds.stable.0.cast_signed(),
        log_start_offset: bounds.start.0.cast_signed(),
        ..refused(index, ErrorCode::OffsetOutOfRange)
    }
}

fn refused(index: i32, code: ErrorCode) -> FetchedPartition {
    FetchedPartition {
        partition_index: index,
        error_code: code.number(),
        records: Some(Bytes::new()),
        ..Default::default()
    }
}
