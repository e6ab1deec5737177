//! What a coordinator allows.

use std::time::Duration;

/// Bounds and times of a [`Coordinator`](super::Coordinator).
#[derive(Debug, Clone)]
pub struct Options {
    /// The shortest session timeout that a member may ask for.
    pub min_session_timeout: Duration,
    /// The longest session timeout that a member may ask for.
    pub max_session_timeout: Duration,
    /// The longest rebalance timeout that counts; a longer one is taken as this.
    pub max_rebalance_timeout: Duration,
    /// How long the first rebalance of an empty group waits for more members (KIP-134).
    pub initial_rebalance_delay: Duration,
    /// How long a join that has not been answered keeps a new member in the group.
    pub new_member_timeout: Duration,
    /// How long a group without members is remembered before it expires.
    pub empty_retention: Duration,
    /// How long it is remembered where it is not known to have offsets either, if that is shorter.
    pub uncommitted_retention: Duration,
    /// Groups that have members or handed out an id, or are not known to have offsets; what the store
    /// has of others counts there. At the limit one without members goes for a new one, if it is not
    /// known to have offsets.
    pub groups: usize,
    /// Members of one group, those that were handed an id and have not joined included.
    pub members: usize,
    /// Protocols that one member supports: electing one compares those of all members.
    pub protocols: usize,
    /// Octets of one member's metadata over all its protocols, and of one member's assignment.
    pub member_bytes: usize,
    /// Octets in a group's name, an instance id, a client id.
    pub name_bytes: usize,
    /// Octets in a protocol's name: these are compared often.
    pub protocol_bytes: usize,
    /// Octets of what all members of all groups said and were assigned.
    pub octets: usize,
}

impl Default for Options {
    /// Kafka's defaults, but no initial delay and fewer members. A group without offsets goes after five
    /// minutes; Kafka looks for such every ten (`offsets.retention.check.interval.ms`).
    fn default() -> Self {
        Self {
            min_session_timeout: Duration::from_secs(6),
            max_session_timeout: Duration::from_secs(30 * 60),
            max_rebalance_timeout: Duration::from_millis(i32::MAX as u64),
            initial_rebalance_delay: Duration::ZERO,
            new_member_timeout: Duration::from_secs(5 * 60),
            empty_retention: Duration::from_secs(7 * 24 * 60 * 60),
            uncommitted_retention: Duration::from_secs(5 * 60),
            groups: 10_000,
            members: 1_000,
            protocols: 64,
            member_bytes: 1024 * 1024,
            name_bytes: 32_767,
            protocol_bytes: 255,
            octets: 256 * 1024 * 1024,
        }
    }
}
