//! OffsetCommit and OffsetFetch.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use standpipe_core::{
    Error, ErrorKind,
    broker::GroupOffset,
    group::Membership,
    id::{Offset, PartitionId},
};

use super::{
    distinct::{NamedPartitions, distinct},
    failure::{code_of, refusal_code},
    names,
    service::{Client, NAMESPACE},
};
use crate::codec::{
    api::offsets::{
        CommitPartition, CommittedPartition, CommittedTopic, FetchedOffset, FetchedOffsets,
        GroupOffsets, OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest,
        OffsetFetchResponse, OffsetTopic,
    },
    error_code::ErrorCode,
};

/// Octets of a commit's metadata, as Kafka's `offset.metadata.max.bytes`.
const METADATA_LIMIT: usize = 4096;
/// From then on OffsetFetch names any number of groups.
const MANY_GROUPS: i16 = 8;

/// Commits offsets; they are on disk when this returns.
pub(super) async fn commit(client: &Client, request: OffsetCommitRequest) -> OffsetCommitResponse {
    let who = Membership {
        group: request.group_id.as_str().into(),
        member_id: request.member_id.as_str().into(),
        instance_id: request.group_instance_id.as_deref().map(Arc::from),
        generation: request.generation_id,
    };
    let mut named = Named::default();
    let mut checked: Vec<_> = request
        .topics
        .into_iter()
        .map(|topic| {
            let check = |p| check(client, &topic.name, p, &mut named);
            let partitions = topic.partitions.into_iter().map(check).collect::<Vec<_>>();
            (topic.name, partitions)
        })
        .collect();
    let refused = match client.service.groups().check_commit(&who) {
        Err(refusal) => refusal_code(&refusal),
        Ok(()) => store(client, &request.group_id, named).await,
    };
    if refused != ErrorCode::None {
        let all = checked.iter_mut().flat_map(|(_, partitions)| partitions);
        all.for_each(|(_, code)| *code = refused);
    }
    let topics = checked
        .into_iter()
        .map(|(name, partitions)| CommittedTopic {
            name,
            partitions: partitions.into_iter().map(committed).collect(),
        });
    OffsetCommitResponse {
        topics: topics.collect(),
        ..Default::default()
    }
}

fn committed((partition_index, code): (i32, ErrorCode)) -> CommittedPartition {
    CommittedPartition {
        partition_index,
        error_code: code.number(),
    }
}

/// What a request commits; of a partition that it names again, what it says last, as Kafka does. A
/// negative offset is none: to every client it is as if nothing had been committed, and kafkajs commits
/// one to begin where it does by default.
type Named = BTreeMap<(String, PartitionId), Option<GroupOffset>>;

async fn store(client: &Client, group: &str, named: Named) -> ErrorCode {
    let broker = client.broker();
    let (mut offsets, mut none) = (Vec::new(), Vec::new());
    for (place, offset) in named {
        match offset {
            Some(offset) => offsets.push(offset),
            None => none.push(place),
        }
    }
    let stored = async {
        if !offsets.is_empty() {
            let committed = broker.group_commit(NAMESPACE, group, &offsets);
            committed.await?.wait().await?;
        }
        if !none.is_empty() {
            let taken_back = broker.delete_group_offsets(NAMESPACE, group, &none);
            taken_back.await?;
        }
        Ok::<_, Error>(())
    };
    match stored.await {
        Ok(()) => ErrorCode::None,
        Err(error) => {
            tracing::warn!(%error, %group, "offsets were not committed");
            match error.kind() {
                ErrorKind::NotFound => ErrorCode::UnknownTopicOrPartition,
                // The name is that of a queue or another subscription that leases.
                ErrorKind::Conflict => ErrorCode::InvalidGroupId,
                // No more groups fit on a topic: clients take it for nothing that passes.
                ErrorKind::TooLarge => ErrorCode::InvalidCommitOffsetSize,
                ErrorKind::Denied => code_of(&error),
                _ => ErrorCode::CoordinatorNotAvailable,
            }
        }
    }
}

/// Takes a partition's offset up into what is committed, or says why not.
fn check(
    client: &Client,
    topic: &str,
    asked: CommitPartition,
    named: &mut Named,
) -> (i32, ErrorCode) {
    let index = asked.partition_index;
    let partition = PartitionId(index.cast_unsigned());
    let is_there = names::topic(client.broker(), topic)
        .is_some_and(|topic| partition.0 < topic.partition_count());
    if !is_there {
        return (index, ErrorCode::UnknownTopicOrPartition);
    }
    let metadata = asked.committed_metadata.unwrap_or_default();
    if metadata.len() > METADATA_LIMIT {
        return (index, ErrorCode::OffsetMetadataTooLarge);
    }
    let offset = u64::try_from(asked.committed_offset).ok();
    let offset = offset.map(|offset| GroupOffset {
        topic: topic.to_owned(),
        partition,
        offset: Offset(offset),
        leader_epoch: asked.committed_leader_epoch,
        metadata: metadata.into(),
    });
    named.insert((topic.to_owned(), partition), offset);
    (index, ErrorCode::None)
}

/// What groups have committed; all of it is stable.
pub(super) fn fetch(
    client: &Client,
    request: OffsetFetchRequest,
    version: i16,
) -> OffsetFetchResponse {
    if version < MANY_GROUPS {
        return OffsetFetchResponse {
            topics: offsets_of(client, &request.group_id, request.topics),
            ..Default::default()
        };
    }
    let groups = distinct(request.groups, |asked| asked.group_id.clone());
    let groups = groups.into_iter().map(|asked| GroupOffsets {
        topics: offsets_of(client, &asked.group_id, asked.topics),
        group_id: asked.group_id,
        error_code: ErrorCode::None.number(),
    });
    OffsetFetchResponse {
        groups: groups.collect(),
        ..Default::default()
    }
}

/// Committed offsets by topic and partition.
type Held = BTreeMap<String, BTreeMap<i32, FetchedOffset>>;

fn offsets_of(
    client: &Client,
    group: &str,
    asked: Option<Vec<OffsetTopic>>,
) -> Vec<FetchedOffsets> {
    let broker = client.broker();
    let stored = match &asked {
        None => broker.group_offsets(NAMESPACE, group),
        Some(asked) => {
            let names: BTreeSet<_> = asked.iter().map(|topic| topic.name.as_str()).collect();
            let topics = names
                .into_iter()
                .filter_map(|name| broker.topic(NAMESPACE, name));
            let stored = topics.map(|topic| broker.group_offsets_on(&topic, group));
            stored.flatten().collect()
        }
    };
    let mut held = Held::new();
    for stored in stored {
        let offset = stored.offset;
        if !names::is_legal(&offset.topic) {
            continue;
        }
        let index = offset.partition.0.cast_signed();
        let fetched = FetchedOffset {
            partition_index: index,
            committed_offset: offset.offset.0.cast_signed(),
            committed_leader_epoch: offset.leader_epoch,
            metadata: Some(String::from_utf8_lossy(&offset.metadata).into_owned()),
            ..Default::default()
        };
        held.entry(offset.topic).or_default().insert(index, fetched);
    }
    let Some(asked) = asked else {
        let all = held.into_iter().map(|(name, partitions)| FetchedOffsets {
            name,
            partitions: partitions.into_values().collect(),
        });
        return all.collect();
    };
    let mut named = NamedPartitions::default();
    let asked = asked.into_iter().map(|topic| {
        let found = held.get(&topic.name);
        let partitions = named.new_of(&topic.name, topic.partition_indexes);
        let partitions = partitions.into_iter().map(|index| {
            let held = found.and_then(|partitions| partitions.get(&index)).cloned();
            held.unwrap_or_else(|| FetchedOffset {
                partition_index: index,
                ..Default::default()
            })
        });
        FetchedOffsets {
            partitions: partitions.collect(),
            name: topic.name,
        }
    });
    asked.collect()
}
