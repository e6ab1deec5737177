//! What the shell has to do.

use std::sync::Arc;

use bytes::Bytes;

use super::{Caller, GroupId, InstanceId, MemberId, Refusal};

/// Something that the shell has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Answer a `JoinGroup`.
    Join {
        /// The request.
        caller: Caller,
        /// The answer.
        reply: Result<Joined, Refusal>,
    },
    /// Answer a `SyncGroup`.
    Sync {
        /// The request.
        caller: Caller,
        /// The answer.
        reply: Result<Synced, Refusal>,
    },
    /// The last member of the group is gone: the retention of its offsets begins.
    Emptied {
        /// The group.
        group: GroupId,
    },
    /// The group had no members for as long as it is remembered: delete its offsets.
    Expired {
        /// The group.
        group: GroupId,
    },
}

/// A `JoinGroup` that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The generation joined; from 1.
    pub generation: i32,
    /// The group's protocol type.
    pub protocol_type: Arc<str>,
    /// The protocol chosen.
    pub protocol: Arc<str>,
    /// The leader's member id.
    pub leader: MemberId,
    /// The member's own id.
    pub member_id: MemberId,
    /// All members, for the leader; empty for the others.
    pub members: Vec<JoinedMember>,
    /// Whether the leader must not assign, since the assignment stands (KIP-814).
    pub skip_assignment: bool,
}

/// A member as the leader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinedMember {
    /// Its id.
    pub member_id: MemberId,
    /// Its name, where it is a static member.
    pub instance_id: Option<InstanceId>,
    /// Its metadata for the protocol chosen.
    pub metadata: Bytes,
}

/// A `SyncGroup` that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synced {
    /// The group's protocol type.
    pub protocol_type: Arc<str>,
    /// The protocol chosen.
    pub protocol: Arc<str>,
    /// What the leader assigned to this member; empty where it named it not.
    pub assignment: Bytes,
}
