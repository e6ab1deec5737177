//! What the frontend is set to.

use std::num::NonZeroU32;

use standpipe_core::group;

/// What becomes of a topic that a client names and that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AutoCreate {
    /// It comes into being, where the client allows it too.
    #[default]
    On,
    /// Nothing: topics are created by those who ask for it.
    Off,
}

/// Settings of a [`KafkaFrontend`](super::KafkaFrontend); each is one of Kafka's broker's as well.
#[derive(Debug, Clone)]
pub struct KafkaOptions {
    /// Partitions of a topic that a client brings into being without a number (`num.partitions`).
    pub num_partitions: NonZeroU32,
    /// Whether topics come into being when they are named (`auto.create.topics.enable`).
    pub auto_create: AutoCreate,
    /// Times and limits of consumer groups (`group.*`).
    pub groups: group::Options,
}

impl Default for KafkaOptions {
    fn default() -> Self {
        Self {
            num_partitions: NonZeroU32::MIN,
            auto_create: AutoCreate::default(),
            groups: group::Options::default(),
        }
    }
}
