//! What tools are shown.

use std::sync::Arc;

use bytes::Bytes;

use super::{GroupId, InstanceId, MemberId, State, member::Member, roster::Group};

/// A group in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The group.
    pub group: GroupId,
    /// `consumer`, `connect`, …; empty where it never had members.
    pub protocol_type: Arc<str>,
    /// Where it is in its cycle.
    pub state: State,
}

/// A group, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The group.
    pub group: GroupId,
    /// Where it is in its cycle.
    pub state: State,
    /// `consumer`, `connect`, …; empty where it never had members.
    pub protocol_type: Arc<str>,
    /// The protocol in use; empty unless stable.
    pub protocol: Arc<str>,
    /// The generation; 0 before the first.
    pub generation: i32,
    /// Its members.
    pub members: Vec<MemberDescription>,
}

/// A member in a [`Description`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberDescription {
    /// Its id.
    pub member_id: MemberId,
    /// Its name, where it is a static member.
    pub instance_id: Option<InstanceId>,
    /// The client's name for itself.
    pub client_id: Arc<str>,
    /// Where it connects from.
    pub client_host: Arc<str>,
    /// Its metadata for the protocol in use; empty unless stable.
    pub metadata: Bytes,
    /// What it was assigned; empty unless stable.
    pub assignment: Bytes,
}

impl Group {
    pub(super) fn listing(&self) -> Listing {
        Listing {
            group: self.id.clone(),
            protocol_type: self.protocol_type.clone(),
            state: self.state,
        }
    }

    pub(super) fn description(&self) -> Description {
        let is_stable = self.state == State::Stable;
        Description {
            group: self.id.clone(),
            state: self.state,
            protocol_type: self.protocol_type.clone(),
            protocol: if is_stable {
                self.protocol.clone()
            } else {
                "".into()
            },
            generation: self.generation,
            members: self
                .members
                .values()
                .map(|m| self.describe_member(m))
                .collect(),
        }
    }

    fn describe_member(&self, member: &Member) -> MemberDescription {
        let is_stable = self.state == State::Stable;
        MemberDescription {
            member_id: member.id.clone(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: if is_stable {
                member.metadata(&self.protocol)
            } else {
                Bytes::new()
            },
            assignment: member.assignment.clone(),
        }
    }
}
