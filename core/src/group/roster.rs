//! One group: its members and where it is in its cycle.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    GroupId, InstanceId, Joined, JoinedMember, MemberId, Membership, Refusal, State, Synced,
    member::Member, rebalance::Gathering, supported::Supported,
};
use crate::id::Millis;

/// A group. What each request does to it is in the file of that name.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) id: GroupId,
    pub(super) state: State,
    pub(super) generation: i32,
    pub(super) protocol_type: Arc<str>,
    pub(super) protocol: Arc<str>,
    pub(super) leader: Option<MemberId>,
    pub(super) members: BTreeMap<MemberId, Member>,
    pub(super) instances: BTreeMap<InstanceId, MemberId>,
    pub(super) supported: Supported,
    /// Ids that were handed out to be joined with, and until when they hold.
    pub(super) pending: BTreeMap<MemberId, Millis>,
    /// How long the joins are waited for, while `PreparingRebalance`.
    pub(super) gathering: Option<Gathering>,
    /// Members of this generation that have not asked for their assignment yet, and until when
    /// they may.
    pub(super) unsynced: BTreeSet<MemberId>,
    pub(super) sync_deadline: Millis,
    /// Since when there are no members.
    pub(super) empty_since: Millis,
    /// Whether offsets of it are known to be stored, for which it is remembered.
    pub(super) has_commits: bool,
    /// Whether the coordinator has counted it, and what it held then.
    pub(super) counted: bool,
    pub(super) counted_octets: usize,
    /// When the coordinator looks at it next.
    pub(super) armed: Option<Millis>,
}

impl Group {
    pub(super) fn new(id: GroupId, now: Millis) -> Self {
        Self {
            id,
            state: State::Empty,
            generation: 0,
            protocol_type: "".into(),
            protocol: "".into(),
            leader: None,
            members: BTreeMap::new(),
            instances: BTreeMap::new(),
            supported: Supported::default(),
            pending: BTreeMap::new(),
            gathering: None,
            unsynced: BTreeSet::new(),
            sync_deadline: now,
            empty_since: now,
            has_commits: false,
            counted: false,
            counted_octets: 0,
            armed: None,
        }
    }

    /// The member that a request comes from.
    ///
    /// # Errors
    /// `FencedInstance` where another member has its instance id, `UnknownMember`.
    pub(super) fn member(
        &mut self,
        member_id: &str,
        instance_id: Option<&InstanceId>,
    ) -> Result<&mut Member, Refusal> {
        if let Some(instance) = instance_id {
            match self.instances.get(instance) {
                Some(holder) if **holder != *member_id => return Err(Refusal::FencedInstance),
                Some(_) => {}
                None => return Err(Refusal::UnknownMember),
            }
        }
        self.members
            .get_mut(member_id)
            .ok_or(Refusal::UnknownMember)
    }

    /// The member that a request of the current generation comes from.
    ///
    /// # Errors
    /// As [`Group::member`], and `IllegalGeneration`.
    pub(super) fn current(&mut self, who: &Membership) -> Result<&mut Member, Refusal> {
        let generation = self.generation;
        let member = self.member(&who.member_id, who.instance_id.as_ref())?;
        if who.generation != generation {
            return Err(Refusal::IllegalGeneration);
        }
        Ok(member)
    }

    pub(super) fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    /// Whether nothing would be lost by forgetting it.
    pub(super) fn is_unused(&self) -> bool {
        self.generation == 0
            && !self.has_commits
            && self.members.is_empty()
            && self.pending.is_empty()
    }

    /// Whether it counts up to the limit of groups. One that is remembered for its offsets alone does
    /// not: these are the store's, which has limits of its own for them.
    pub(super) fn counts(&self) -> bool {
        self.state != State::Empty || !self.has_commits || !self.pending.is_empty()
    }

    /// Octets of what its members said and were assigned.
    pub(super) fn octets(&self) -> usize {
        self.members.values().map(Member::octets).sum()
    }

    /// Whether it may go for another group: it has no members, and no offsets that are known of.
    pub(super) fn is_dispensable(&self) -> bool {
        self.state == State::Empty && !self.has_commits
    }

    /// What a member of the current generation is told when it joined.
    pub(super) fn joined(&self, member: &Member) -> Joined {
        let everyone = self.is_leader(&member.id).then(|| self.members.values());
        let members = everyone.into_iter().flatten().map(|member| JoinedMember {
            member_id: member.id.clone(),
            instance_id: member.instance_id.clone(),
            metadata: member.metadata(&self.protocol),
        });
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            member_id: member.id.clone(),
            members: members.collect(),
            skip_assignment: false,
        }
    }

    /// What a member is told when the assignment is there.
    pub(super) fn synced(&self, member: &Member) -> Synced {
        Synced {
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment: member.assignment.clone(),
        }
    }
}
