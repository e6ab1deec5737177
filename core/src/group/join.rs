//! `JoinGroup`.

use super::{
    Caller, Join, MemberId, Refusal, State, member::Member, member_ids::MemberIds, roster::Group,
    turn::Turn,
};

impl Group {
    /// Joins; the answer comes when all have joined, or at once where there is nothing to wait for.
    pub(super) fn join(
        &mut self,
        join: Join,
        caller: Caller,
        ids: &mut MemberIds,
        turn: &mut Turn<'_>,
    ) {
        if let Err(refusal) = self.try_join(join, caller, ids, turn) {
            turn.answer_join(caller, Err(refusal));
        }
    }

    fn try_join(
        &mut self,
        join: Join,
        caller: Caller,
        ids: &mut MemberIds,
        turn: &mut Turn<'_>,
    ) -> Result<(), Refusal> {
        if !self.has_room_for(&join, turn.options.members) {
            return Err(Refusal::GroupFull);
        }
        if !self.accepts(&join) {
            return Err(Refusal::InconsistentProtocol);
        }
        if !join.member_id.is_empty() {
            return self.join_with_id(join, caller, turn);
        }
        let name = join.instance_id.as_ref().unwrap_or(&join.client_id);
        let id = ids.next(name);
        let held = join
            .instance_id
            .as_ref()
            .and_then(|name| self.instances.get(name));
        if let Some(old) = held.cloned() {
            self.replace(&old, id, join, caller, turn);
        } else if join.instance_id.is_none() && join.asks_for_member_id {
            let until = turn.now.after(join.session_timeout);
            self.pending.insert(id.clone(), until);
            return Err(Refusal::MemberIdRequired(id));
        } else {
            self.add(id, join, caller, turn);
        }
        Ok(())
    }

    fn has_room_for(&self, join: &Join, limit: usize) -> bool {
        let is_in = self.members.contains_key(&join.member_id)
            || self.pending.contains_key(&join.member_id)
            || join
                .instance_id
                .as_ref()
                .is_some_and(|name| self.instances.contains_key(name));
        is_in || self.members.len() + self.pending.len() < limit
    }

    fn join_with_id(
        &mut self,
        join: Join,
        caller: Caller,
        turn: &mut Turn<'_>,
    ) -> Result<(), Refusal> {
        if join.instance_id.is_none() && self.pending.remove(&join.member_id).is_some() {
            let id = join.member_id.clone();
            self.add(id, join, caller, turn);
            return Ok(());
        }
        let (state, id) = (self.state, join.member_id.clone());
        let leads = self.is_leader(&id);
        let member = self.member(&id, join.instance_id.as_ref())?;
        let same = member.protocols == join.protocols;
        let answer_now = match state {
            State::CompletingRebalance => same,
            // A leader that joins again wants a new assignment.
            State::Stable => same && !leads,
            State::Empty | State::Dead | State::PreparingRebalance => false,
        };
        member.heard(turn.now);
        if answer_now {
            let reply = self.joined(&self.members[&id]);
            turn.answer_join(caller, Ok(reply));
            return Ok(());
        }
        let before = member.update(join);
        member.wait_for_join(caller, turn);
        self.supported.remove(&before);
        self.supported.add(&self.members[&id].protocols);
        self.rebalance(turn);
        Ok(())
    }

    fn add(&mut self, id: MemberId, join: Join, caller: Caller, turn: &mut Turn<'_>) {
        if self.members.is_empty() {
            self.protocol_type = join.protocol_type.clone();
        }
        if let Some(instance) = &join.instance_id {
            self.instances.insert(instance.clone(), id.clone());
        }
        let mut member = Member::new(id.clone(), join, turn.now, turn.options.new_member_timeout);
        member.joining = Some(caller);
        self.supported.add(&member.protocols);
        self.members.insert(id.clone(), member);
        self.leader.get_or_insert(id);
        if let Some(gathering) = &mut self.gathering {
            gathering.grew = true;
        }
        self.rebalance(turn);
    }

    /// A static member came back without its id: it takes the place of its former self (KIP-345).
    fn replace(
        &mut self,
        old: &MemberId,
        id: MemberId,
        join: Join,
        caller: Caller,
        turn: &mut Turn<'_>,
    ) {
        let Some(mut member) = self.members.remove(old) else {
            return self.add(id, join, caller, turn);
        };
        member.refuse_waiting(&Refusal::FencedInstance, turn);
        let skips_assignment = join.skips_assignment;
        member.id = id.clone();
        self.supported.remove(&member.update(join));
        self.supported.add(&member.protocols);
        member.heard(turn.now);
        if let Some(instance) = &member.instance_id {
            self.instances.insert(instance.clone(), id.clone());
        }
        self.members.insert(id.clone(), member);
        let led = self.is_leader(old);
        if led {
            self.leader = Some(id.clone());
        }
        if self.unsynced.remove(old) {
            self.unsynced.insert(id.clone());
        }
        if self.state == State::Stable && self.elect_protocol() == self.protocol {
            let mut reply = self.joined(&self.members[&id]);
            if led && skips_assignment {
                reply.skip_assignment = true;
            } else if led {
                // It must not assign, and knows no other way than that somebody else leads.
                reply.leader = old.clone();
                reply.members.clear();
            }
            turn.answer_join(caller, Ok(reply));
            return;
        }
        if let Some(member) = self.members.get_mut(&id) {
            member.wait_for_join(caller, turn);
        }
        self.rebalance(turn);
    }
}
