//! OffsetDelete: takes back what a group has committed.

use std::collections::{BTreeSet, HashSet};

use bytes::Bytes;
use standpipe_core::{
    group::{Description, State},
    id::PartitionId,
};

use super::{
    failure::code_of,
    names,
    service::{Client, NAMESPACE},
};
use crate::codec::{
    Malformed, Reader, Wire,
    api::offsets::{CommittedPartition, CommittedTopic, OffsetDeleteRequest, OffsetDeleteResponse},
    error_code::ErrorCode,
};

/// The protocol whose members tell which topics they read.
const CONSUMERS: &str = "consumer";

/// Takes offsets back, except those of topics that a member reads; that is on disk when this returns.
pub(super) async fn answer(client: &Client, request: OffsetDeleteRequest) -> OffsetDeleteResponse {
    let refused = |code: ErrorCode| OffsetDeleteResponse {
        error_code: code.number(),
        ..Default::default()
    };
    if request.group_id.is_empty() {
        return refused(ErrorCode::InvalidGroupId);
    }
    client.service.groups().remember_committed();
    let Some(group) = client.service.groups().describe(&request.group_id) else {
        return refused(ErrorCode::GroupIdNotFound);
    };
    let Some(in_use) = in_use(&group) else {
        return refused(ErrorCode::NonEmptyGroup);
    };
    let mut partitions = BTreeSet::new();
    let topics = request.topics.into_iter().map(|topic| {
        let found = names::topic(client.broker(), &topic.name);
        let count = found.map_or(0, |found| found.partition_count());
        let partitions = topic.partitions.into_iter().map(|asked| {
            let partition_index = asked.partition_index;
            let number = partition_index.cast_unsigned();
            let code = if number >= count {
                ErrorCode::UnknownTopicOrPartition
            } else if in_use.holds(&topic.name) {
                ErrorCode::GroupSubscribedToTopic
            } else {
                partitions.insert((topic.name.clone(), PartitionId(number)));
                ErrorCode::None
            };
            CommittedPartition {
                partition_index,
                error_code: code.number(),
            }
        });
        CommittedTopic {
            partitions: partitions.collect(),
            name: topic.name,
        }
    });
    let topics = topics.collect();
    let partitions: Vec<_> = partitions.into_iter().collect();
    let broker = client.broker();
    let deleted = broker.delete_group_offsets(NAMESPACE, &request.group_id, &partitions);
    match deleted.await {
        Ok(()) => OffsetDeleteResponse {
            topics,
            ..Default::default()
        },
        Err(error) => {
            tracing::warn!(%error, group = %request.group_id, "offsets were not deleted");
            refused(code_of(&error))
        }
    }
}

/// Topics that members of a group read.
enum InUse {
    /// These.
    Topics(HashSet<String>),
    /// It cannot be told: each could be.
    Any,
}

impl InUse {
    fn holds(&self, topic: &str) -> bool {
        match self {
            Self::Topics(topics) => topics.contains(topic),
            Self::Any => true,
        }
    }
}

/// `None` where a group has members that are no consumers: none of its offsets goes.
fn in_use(group: &Description) -> Option<InUse> {
    match group.state {
        State::Empty | State::Dead => return Some(InUse::Topics(HashSet::new())),
        _ if &*group.protocol_type != CONSUMERS => return None,
        State::Stable => {}
        // While members join again it is not settled what they read.
        _ => return Some(InUse::Any),
    }
    let members = group.members.iter();
    let topics = members.map(|member| subscribed(member.metadata.clone()));
    let topics: Result<Vec<_>, _> = topics.collect();
    Some(topics.map_or(InUse::Any, |topics| {
        InUse::Topics(topics.into_iter().flatten().collect())
    }))
}

/// The topics of a consumer's subscription (`ConsumerProtocolSubscription`): they stand first in
/// every version.
fn subscribed(metadata: Bytes) -> Result<Vec<String>, Malformed> {
    let mut reader = Reader::new(metadata, false);
    i16::read(&mut reader, 0)?;
    Wire::read(&mut reader, 0)
}
