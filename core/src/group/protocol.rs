//! Which protocol a group uses.

use std::{collections::HashMap, sync::Arc};

use super::{Join, Protocol, member::Member, roster::Group, supported::Supported};

impl Group {
    /// Whether a member that says `join` would leave the group a protocol that all support.
    pub(super) fn accepts(&self, join: &Join) -> bool {
        if join.protocol_type.is_empty() || join.protocols.is_empty() {
            return false;
        }
        if self.members.is_empty() {
            return true;
        }
        let former = self.former_selves(join);
        let others = self.members.len() - former.len();
        let common = |protocol: &Protocol| {
            let own = former
                .iter()
                .filter(|member| member.supports(&protocol.name));
            self.supported.by(&protocol.name) - own.count() == others
        };
        self.protocol_type == join.protocol_type && join.protocols.iter().any(common)
    }

    /// Members that are no other ones: what they supported counts no more.
    fn former_selves(&self, join: &Join) -> Vec<&Member> {
        let instance = join.instance_id.as_ref();
        let replaced = instance.and_then(|name| self.instances.get(name));
        let replaced = replaced.filter(|id| **id != join.member_id);
        let ids = [Some(&join.member_id), replaced].into_iter().flatten();
        ids.filter_map(|id| self.members.get(id)).collect()
    }

    /// Whether the count of who supports what is right.
    pub(super) fn has_counted_protocols(&self) -> bool {
        let mut counted = Supported::default();
        self.members
            .values()
            .for_each(|member| counted.add(&member.protocols));
        counted == self.supported
    }

    /// The protocol of the next generation: of those that all support, each member votes for the
    /// first in its list; the leader's list breaks a tie.
    pub(super) fn elect_protocol(&self) -> Arc<str> {
        let leader = self.leader.as_ref().and_then(|id| self.members.get(id));
        let is_common = |name: &str| self.supported.by(name) == self.members.len();
        let candidates = leader.map_or(&[][..], |leader| &leader.protocols);
        let candidates: Vec<_> = candidates.iter().filter(|p| is_common(&p.name)).collect();
        let mut places = HashMap::new();
        for (place, candidate) in candidates.iter().enumerate() {
            places.entry(&*candidate.name).or_insert(place);
        }
        let mut votes = vec![0usize; candidates.len()];
        for member in self.members.values() {
            let mut wishes = member.protocols.iter();
            if let Some(choice) = wishes.find_map(|wish| places.get(&*wish.name)) {
                votes[*choice] += 1;
            }
        }
        let most = votes.iter().max();
        let winner = votes.iter().position(|count| Some(count) == most);
        let winner = winner.map(|at| candidates[at].name.clone());
        winner.expect("a join that leaves no common protocol is refused")
    }
}
