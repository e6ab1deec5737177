//! Which topics Kafka sees: permanent ones, under names that Kafka allows, never escaped.

use std::sync::Arc;

use standpipe_core::{
    broker::{Broker, Lifetime, Topic},
    id::TopicId,
};
use uuid::Uuid;

use super::service::NAMESPACE;

const NAME_LIMIT: usize = 249;
/// Kafka's brokers keep their own state in topics of these names; clients pass over them where they
/// take all topics.
const INTERNAL: [&str; 2] = ["__consumer_offsets", "__transaction_state"];

/// Whether Kafka allows a topic to be called so (`org.apache.kafka.common.internals.Topic`).
pub(super) fn is_legal(name: &str) -> bool {
    let is_allowed = |octet: u8| octet.is_ascii_alphanumeric() || b"._-".contains(&octet);
    (1..=NAME_LIMIT).contains(&name.len())
        && name != "."
        && name != ".."
        && name.bytes().all(is_allowed)
}

/// Whether a topic of that name is a broker's own at Kafka.
pub(super) fn is_internal(name: &str) -> bool {
    INTERNAL.contains(&name)
}

/// Says what is wrong with a name.
pub(super) fn illegal(name: &str) -> String {
    format!("`{name}` is no topic name: 1 to {NAME_LIMIT} of a-z, A-Z, 0-9, `.`, `_`, `-`")
}

/// The topic of that name, where Kafka sees it.
pub(super) fn topic(broker: &Broker, name: &str) -> Option<Arc<Topic>> {
    broker.topic(NAMESPACE, name).filter(is_visible)
}

/// The topic of that id, where Kafka sees it.
pub(super) fn topic_by_id(broker: &Broker, id: Uuid) -> Option<Arc<Topic>> {
    broker.topic_by_id(TopicId(id)).filter(is_visible)
}

/// All topics that Kafka sees, by name.
pub(super) fn topics(broker: &Broker) -> Vec<Arc<Topic>> {
    let mut topics = broker.topics(NAMESPACE);
    topics.retain(is_visible);
    topics
}

fn is_visible(topic: &Arc<Topic>) -> bool {
    &**topic.namespace() == NAMESPACE
        && is_legal(topic.name())
        && topic.lifetime() == Lifetime::Permanent
}
