//! Topics.

use standpipe_core::driver::{PartitionInfo, SubscriptionInfo, TopicInfo};

use crate::proto;

pub(crate) fn topic_to_proto(topic: TopicInfo) -> proto::Topic {
    let partitions = topic.partitions.into_iter();
    let partitions = partitions.map(|partition| proto::Partition {
        start: partition.start,
        end: partition.end,
        octets: partition.octets,
    });
    let subscriptions = topic.subscriptions.into_iter();
    let subscriptions = subscriptions.map(|subscription| proto::Subscription {
        name: subscription.name,
        mode: subscription.mode,
        ready: subscription.ready,
        leased: subscription.leased,
        consumers: subscription.consumers,
        floors: subscription.floors,
        lost: subscription.lost,
    });
    proto::Topic {
        name: topic.name,
        retention: topic.retention.unwrap_or_default(),
        durability: topic.durability.unwrap_or_default(),
        partitions: partitions.collect(),
        subscriptions: subscriptions.collect(),
        held_by: topic.held_by,
    }
}

pub(crate) fn topic_from_proto(topic: proto::Topic) -> TopicInfo {
    let partitions = topic.partitions.into_iter();
    let partitions = partitions.map(|partition| PartitionInfo {
        start: partition.start,
        end: partition.end,
        octets: partition.octets,
    });
    let subscriptions = topic.subscriptions.into_iter();
    let subscriptions = subscriptions.map(|subscription| SubscriptionInfo {
        name: subscription.name,
        mode: subscription.mode,
        ready: subscription.ready,
        leased: subscription.leased,
        consumers: subscription.consumers,
        floors: subscription.floors,
        lost: subscription.lost,
    });
    TopicInfo {
        name: topic.name,
        retention: Some(topic.retention).filter(|text| !text.is_empty()),
        durability: Some(topic.durability).filter(|text| !text.is_empty()),
        partitions: partitions.collect(),
        subscriptions: subscriptions.collect(),
        held_by: topic.held_by,
    }
}
