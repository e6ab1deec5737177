//! Which protocol a group uses.

use std::sync::Arc;

use super::{Join, Protocol, roster::Group};

impl Group {
    /// Whether a member that says `join` would leave the group a protocol that all support.
    pub(super) fn accepts(&self, join: &Join) -> bool {
        if join.protocol_type.is_empty() || join.protocols.is_empty() {
            return false;
        }
        if self.members.is_empty() {
            return true;
        }
        let replaced = join
            .instance_id
            .as_ref()
            .and_then(|name| self.instances.get(name));
        let others = self
            .members
            .values()
            .filter(|member| member.id != join.member_id && Some(&member.id) != replaced);
        let others: Vec<_> = others.collect();
        let common = |protocol: &Protocol| others.iter().all(|m| m.supports(&protocol.name));
        self.protocol_type == join.protocol_type && join.protocols.iter().any(common)
    }

    /// The protocol of the next generation: of those that all support, each member votes for the
    /// first in its list; the leader's list breaks a tie.
    pub(super) fn elect_protocol(&self) -> Arc<str> {
        let leader = self.leader.as_ref().and_then(|id| self.members.get(id));
        let common = |name: &str| self.members.values().all(|member| member.supports(name));
        let candidates = leader.map_or(&[][..], |leader| &leader.protocols);
        let candidates: Vec<_> = candidates.iter().filter(|p| common(&p.name)).collect();
        let mut votes = vec![0usize; candidates.len()];
        for member in self.members.values() {
            let mut wishes = member.protocols.iter();
            let place = |wish: &Protocol| candidates.iter().position(|c| c.name == wish.name);
            if let Some(choice) = wishes.find_map(place) {
                votes[choice] += 1;
            }
        }
        let most = votes.iter().max();
        let winner = votes.iter().position(|count| Some(count) == most);
        let winner = winner.map(|at| candidates[at].name.clone());
        winner.expect("a join that leaves no common protocol is refused")
    }
}
