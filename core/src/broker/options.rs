//! What can be set on a broker.

/// Settings of a broker.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Limits over all protocols.
    pub limits: Limits,
}

/// Limits that hold whatever the protocol; each is refused with that protocol's own error.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Octets of one message or producer's batch, key, payload and headers together.
    pub message_bytes: usize,
    /// Octets accepted from producers and not yet durable, all connections together.
    pub in_flight_bytes: usize,
    /// Partitions of one topic.
    pub partitions: u32,
    /// Topics of the broker.
    pub topics: usize,
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
            partitions: 10_000,
            topics: 100_000,
            outbox_bytes: 1 << 20,
            outbox_messages: 512,
            producers: 10_000,
        }
    }
}
