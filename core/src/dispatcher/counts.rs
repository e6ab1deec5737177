//! Numbers of a subscription.

/// How many messages are in which state, and how many consumers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Waiting to be delivered.
    pub ready: u64,
    /// Delivered and not settled.
    pub leased: u64,
    /// Waiting for their time.
    pub deferred: u64,
    /// Attached consumers.
    pub consumers: usize,
}
