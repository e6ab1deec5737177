//! ListOffsets: the ends of partitions, and offsets by time.

use std::sync::Arc;

use standpipe_core::{
    Result,
    broker::{Topic, TopicBounds},
    id::{Millis, PartitionId},
};

use super::{
    by_time::{Found, Times},
    epochs,
    failure::code_of,
    failures::Failures,
    names,
    service::Client,
    visible,
};
use crate::codec::{
    api::list_offsets::{
        ListOffsetsRequest, ListOffsetsResponse, ListPartition, ListedPartition, ListedTopic,
    },
    error_code::ErrorCode,
};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
/// Times that are none, and the version from which on they can be asked for.
const SPECIAL: [(i64, i16); 5] = [
    (LATEST, 0),
    (EARLIEST, 0),
    (MAX_TIMESTAMP, 7),
    (EARLIEST_LOCAL, 8),
    (LATEST_TIERED, 9),
];

/// The offsets asked for. The latest, and those by time, count what was answered before: with
/// `acks=1` that may come before the sync that makes it visible.
pub(super) async fn answer(
    client: &Client,
    request: ListOffsetsRequest,
    version: i16,
) -> ListOffsetsResponse {
    visible::settled(client.broker(), with_what_is_new(client, &request)).await;
    let mut failures = Failures::new("offsets could not be listed");
    let mut topics = Vec::with_capacity(request.topics.len());
    for asked in request.topics {
        let topic = names::topic(client.broker(), &asked.name);
        let mut partitions = Vec::with_capacity(asked.partitions.len());
        for partition in asked.partitions {
            let topic = topic.as_ref();
            partitions.push(list(client, topic, &partition, version, &mut failures).await);
        }
        topics.push(ListedTopic {
            name: asked.name,
            partitions,
        });
    }
    ListOffsetsResponse {
        topics,
        ..Default::default()
    }
}

/// The partitions of whose end something is asked: all but those whose start is.
fn with_what_is_new(
    client: &Client,
    request: &ListOffsetsRequest,
) -> Vec<(Arc<Topic>, PartitionId)> {
    let mut partitions = Vec::new();
    for asked in &request.topics {
        let Some(topic) = names::topic(client.broker(), &asked.name) else {
            continue;
        };
        let of_their_start = [EARLIEST, EARLIEST_LOCAL, LATEST_TIERED];
        let of_their_end = asked.partitions.iter();
        let of_their_end = of_their_end.filter(|one| !of_their_start.contains(&one.timestamp));
        partitions.extend(of_their_end.map(|one| {
            let number = PartitionId(one.partition_index.cast_unsigned());
            (topic.clone(), number)
        }));
    }
    partitions
}

async fn list(
    client: &Client,
    topic: Option<&Arc<Topic>>,
    asked: &ListPartition,
    version: i16,
    failures: &mut Failures,
) -> ListedPartition {
    let mut listed = ListedPartition {
        partition_index: asked.partition_index,
        ..Default::default()
    };
    let number = PartitionId(asked.partition_index.cast_unsigned());
    let Some(topic) = topic.filter(|topic| topic.bounds(number).is_ok()) else {
        listed.error_code = ErrorCode::UnknownTopicOrPartition.number();
        return listed;
    };
    let allowed = match is_known(asked.timestamp, version) {
        true => epochs::check(topic, asked.current_leader_epoch),
        false => Err(ErrorCode::UnsupportedVersion),
    };
    if let Err(code) = allowed {
        listed.error_code = code.number();
        return listed;
    }
    match find(client, topic, number, asked.timestamp).await {
        Ok(Some((offset, time, epoch))) => {
            listed.offset = offset.0.cast_signed();
            listed.leader_epoch = epoch.cast_signed();
            listed.timestamp = time.map_or(-1, |time| time.0);
            if version == 0 {
                listed.old_style_offsets = vec![listed.offset];
            }
        }
        Ok(None) => {}
        Err(error) => {
            failures.add(format_args!("{}, partition {number}", topic.name()), &error);
            listed.error_code = code_of(&error).number();
        }
    }
    listed
}

fn is_known(timestamp: i64, version: i16) -> bool {
    let mut special = SPECIAL.into_iter();
    timestamp >= 0 || special.any(|(one, first)| one == timestamp && version >= first)
}

async fn find(
    client: &Client,
    topic: &Arc<Topic>,
    partition: PartitionId,
    timestamp: i64,
) -> Result<Option<Found>> {
    loop {
        let bounds = topic.bounds(partition)?;
        let found = find_within(client, topic, (partition, bounds), timestamp).await;
        match found {
            Err(error) if topic.was_trimmed(partition, bounds, &error).await => {}
            found => return found,
        }
    }
}

async fn find_within(
    client: &Client,
    topic: &Arc<Topic>,
    (partition, bounds): (PartitionId, TopicBounds),
    timestamp: i64,
) -> Result<Option<Found>> {
    let times = Times {
        workers: client.service.workers(),
        codecs: client.broker().codecs(),
        topic,
        partition,
        bounds,
    };
    match timestamp {
        LATEST => Ok(Some((bounds.stable, None, topic.leader_epoch()))),
        EARLIEST | EARLIEST_LOCAL => {
            let epoch = topic.epoch_at(partition, bounds.start).await?;
            Ok(Some((bounds.start, None, epoch)))
        }
        LATEST_TIERED => Ok(None),
        MAX_TIMESTAMP => times.latest().await,
        at => times.since(Millis(at)).await,
    }
}
