//! `LeaveGroup`, and members that are taken for gone.

use super::{Leaver, Refusal, State, roster::Group, turn::Turn};

impl Group {
    /// Leaves at once.
    ///
    /// # Errors
    /// `UnknownMember`, and `FencedInstance` where another member has the instance id.
    pub(super) fn leave(&mut self, leaver: &Leaver, turn: &mut Turn<'_>) -> Result<(), Refusal> {
        if self.pending.remove(&leaver.member_id).is_some() {
            self.settle_down(turn);
            return Ok(());
        }
        let by_name = leaver
            .instance_id
            .as_ref()
            .filter(|_| leaver.member_id.is_empty());
        let id = match by_name {
            Some(name) => self
                .instances
                .get(name)
                .cloned()
                .ok_or(Refusal::UnknownMember)?,
            None => {
                let member = self.member(&leaver.member_id, leaver.instance_id.as_ref())?;
                member.id.clone()
            }
        };
        self.take_out(&id, turn);
        self.rebalance(turn);
        Ok(())
    }

    /// Takes a member out and answers what waited; the caller goes on with the rebalance.
    pub(super) fn take_out(&mut self, id: &str, turn: &mut Turn<'_>) {
        let Some(mut member) = self.members.remove(id) else {
            return;
        };
        self.supported.remove(&member.protocols);
        member.refuse_waiting(&Refusal::UnknownMember, turn);
        self.unsynced.remove(id);
        if let Some(instance) = &member.instance_id {
            self.instances.remove(instance);
        }
        if self.is_leader(id) {
            self.leader = self.members.keys().next().cloned();
        }
    }

    /// Ends a rebalance that waited only for what is now gone.
    pub(super) fn settle_down(&mut self, turn: &mut Turn<'_>) {
        if self.state == State::PreparingRebalance {
            self.rebalance(turn);
        }
    }
}
