//! What clients ask.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::{GroupId, InstanceId, MemberId};

/// A request that is waiting for its answer; the shell chooses the numbers, each used once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Caller(pub u64);

/// A way of assigning that a member supports, with what it tells the leader for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protocol {
    /// The name, such as `range` or `cooperative-sticky`.
    pub name: Arc<str>,
    /// Opaque to the coordinator.
    pub metadata: Bytes,
}

/// `JoinGroup`.
#[derive(Debug, Clone)]
pub struct Join {
    /// The group.
    pub group: GroupId,
    /// The id that was handed out, or empty.
    pub member_id: MemberId,
    /// A static member's name.
    pub instance_id: Option<InstanceId>,
    /// The client's name for itself; begins the member id.
    pub client_id: Arc<str>,
    /// Where it connects from, for descriptions.
    pub client_host: Arc<str>,
    /// How long it may be silent.
    pub session_timeout: Duration,
    /// How long it may take to join again in a rebalance.
    pub rebalance_timeout: Duration,
    /// `consumer`, `connect`, …; one in a group.
    pub protocol_type: Arc<str>,
    /// What it supports, the preferred one first.
    pub protocols: Vec<Protocol>,
    /// Whether a first join is refused with a member id to join again with: version 4 and above.
    pub asks_for_member_id: bool,
    /// Whether the client can be leader without assigning: version 9 and above.
    pub skips_assignment: bool,
}

/// Who asks: the part that `SyncGroup`, `Heartbeat` and `OffsetCommit` have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The group.
    pub group: GroupId,
    /// The id that was handed out; empty in a commit from outside of the group.
    pub member_id: MemberId,
    /// A static member's name.
    pub instance_id: Option<InstanceId>,
    /// The generation that it joined; negative in a commit from outside of the group.
    pub generation: i32,
}

impl Membership {
    /// Whether it is no member's: clients that assign themselves commit without a generation,
    /// whatever they call themselves.
    pub(super) fn is_outside(&self) -> bool {
        self.generation < 0
    }
}

/// `SyncGroup`.
#[derive(Debug, Clone)]
pub struct Sync {
    /// Who asks.
    pub member: Membership,
    /// The protocol type that it believes in, from version 5 on.
    pub protocol_type: Option<Arc<str>>,
    /// The protocol that it believes in, from version 5 on.
    pub protocol: Option<Arc<str>>,
    /// The leader's assignments; empty from the others.
    pub assignments: Vec<(MemberId, Bytes)>,
}

/// One member in `LeaveGroup`; a static one may be named by its instance id alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaver {
    /// The id that was handed out, or empty.
    pub member_id: MemberId,
    /// A static member's name.
    pub instance_id: Option<InstanceId>,
}
