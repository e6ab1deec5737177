//! What the frontend is set to.

use std::num::NonZeroU32;

use standpipe_core::group;

/// Settings of a [`KafkaFrontend`](super::KafkaFrontend); each is one of Kafka's broker's as well.
#[derive(Debug, Clone)]
pub struct KafkaOptions {
    /// Partitions of a topic that a client brings into being without a number (`num.partitions`).
    pub num_partitions: NonZeroU32,
    /// Times and limits of consumer groups (`group.*`).
    pub groups: group::Options,
}

impl Default for KafkaOptions {
    fn default() -> Self {
        Self {
            num_partitions: NonZeroU32::MIN,
            groups: group::Options::default(),
        }
    }
}
