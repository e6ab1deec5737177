//! What can be set on a broker.

use std::time::Duration;

/// Settings of a broker.
#[derive(Debug, Clone)]
pub struct Options {
    /// Limits over all protocols.
    pub limits: Limits,
    /// How often space is given back that retention lets go; 2 s unless set. A round over topics
    /// that nothing happened to looks at a few numbers of each.
    pub housekeeping: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            housekeeping: Duration::from_secs(2),
        }
    }
}

/// Limits that hold whatever the protocol; each is refused with that protocol's own error.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Octets of one message or producer's batch, key, payload and headers together.
    pub message_bytes: usize,
    /// Octets accepted from producers and not yet durable, all connections together.
    pub in_flight_bytes: usize,
    /// Octets that messages take in topics that live in memory, all together.
    pub memory_bytes: u64,
    /// Partitions of one topic.
    pub partitions: u32,
    /// Partitions of all topics together.
    pub all_partitions: usize,
    /// Topics of the broker.
    pub topics: usize,
    /// Cursors of all subscriptions together: each has one on every partition of its topic.
    pub cursors: usize,
    /// Subscriptions of one topic.
    pub subscriptions: usize,
    /// Octets of a subscription's name.
    pub subscription_name: usize,
    /// Connections of one listener at once; further ones wait to be accepted.
    pub connections: usize,
    /// Octets that one consumer's outbox holds before it is sent.
    pub outbox_bytes: usize,
    /// Messages that one consumer's outbox holds.
    pub outbox_messages: usize,
    /// Idempotent producers remembered for each partition.
    pub producers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 16 << 20,
            in_flight_bytes: 64 << 20,
            memory_bytes: 2 << 30,
            partitions: 10_000,
            all_partitions: 200_000,
            topics: 100_000,
            cursors: 1_000_000,
            subscriptions: 10_000,
            subscription_name: 32_767, // what Kafka's protocol carries
            connections: 10_000,
            outbox_bytes: 1 << 20,
            outbox_messages: 512,
            producers: 10_000,
        }
    }
}
