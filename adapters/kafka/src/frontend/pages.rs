//! DescribeTopicPartitions: topics with their partitions, a page at a time (KIP-966).

use std::{collections::BTreeMap, sync::Arc};

use standpipe_core::broker::Topic;

use super::{
    epochs, names, operations,
    service::{Client, NODE},
};
use crate::codec::{
    api::metadata::{
        Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, PartitionPlace,
        TopicName, TopicPage,
    },
    error_code::ErrorCode,
};

/// Partitions on a page at most, as Kafka's `max.request.partition.size.limit`.
const PAGE: usize = 2000;

/// The page of topics from the cursor on, by name.
pub(super) fn answer(
    client: &Client,
    request: DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    let start = request.cursor.unwrap_or_default();
    let asked = asked(client, request.topics).split_off(&start.topic_name);
    let limit = usize::try_from(request.response_partition_limit).unwrap_or(0);
    let mut room = limit.clamp(1, PAGE);
    let mut response = DescribeTopicPartitionsResponse::default();
    for (name, topic) in asked {
        let first = match name == start.topic_name {
            true => u32::try_from(start.partition_index).unwrap_or(0),
            false => 0,
        };
        let count = topic.as_ref().map_or(0, |topic| topic.partition_count());
        let all = first..count.max(first);
        let taken = all.clone().take(room);
        let next = taken.len() as u32 + first;
        if room > 0 {
            let page = topic.map_or_else(|| missing(&name), |topic| part(&topic, taken));
            response.topics.push(page);
        }
        if next < all.end || room == 0 {
            response.next_cursor = Some(Cursor {
                topic_name: name,
                partition_index: next.cast_signed(),
            });
            break;
        }
        room -= all.len();
    }
    response
}

/// The topics asked for, or all, by name; `None` where there is none of a name.
fn asked(client: &Client, topics: Vec<TopicName>) -> BTreeMap<String, Option<Arc<Topic>>> {
    let broker = client.broker();
    if topics.is_empty() {
        let all = names::topics(broker).into_iter();
        return all
            .map(|topic| (topic.name().to_string(), Some(topic)))
            .collect();
    }
    let named = topics.into_iter();
    named
        .map(|topic| {
            let found = names::topic(broker, &topic.name);
            (topic.name, found)
        })
        .collect()
}

fn part(topic: &Topic, partitions: impl Iterator<Item = u32>) -> TopicPage {
    TopicPage {
        name: Some(topic.name().to_string()),
        topic_id: topic.id().0,
        is_internal: names::is_internal(topic.name()),
        partitions: partitions.map(|index| place(topic, index)).collect(),
        topic_authorized_operations: operations::ON_TOPIC,
        ..Default::default()
    }
}

fn missing(name: &str) -> TopicPage {
    let code = match names::is_legal(name) {
        true => ErrorCode::UnknownTopicOrPartition,
        false => ErrorCode::InvalidTopic,
    };
    TopicPage {
        error_code: code.number(),
        name: Some(name.to_owned()),
        topic_authorized_operations: operations::ON_TOPIC,
        ..Default::default()
    }
}

fn place(topic: &Topic, index: u32) -> PartitionPlace {
    PartitionPlace {
        partition_index: index.cast_signed(),
        leader_id: NODE,
        leader_epoch: epochs::current(topic),
        replica_nodes: vec![NODE],
        isr_nodes: vec![NODE],
        eligible_leader_replicas: Some(Vec::new()),
        last_known_elr: Some(Vec::new()),
        ..Default::default()
    }
}
