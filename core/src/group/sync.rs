//! `SyncGroup`.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{Caller, MemberId, Refusal, State, Sync, Synced, roster::Group, turn::Turn};

impl Group {
    /// Asks for the assignment; the answer comes when the leader has sent it.
    pub(super) fn sync(&mut self, sync: Sync, caller: Caller, turn: &mut Turn<'_>) {
        match self.try_sync(sync, caller, turn) {
            Ok(None) => {}
            Ok(Some(synced)) => turn.answer_sync(caller, Ok(synced)),
            Err(refusal) => turn.answer_sync(caller, Err(refusal)),
        }
    }

    fn try_sync(
        &mut self,
        sync: Sync,
        caller: Caller,
        turn: &mut Turn<'_>,
    ) -> Result<Option<Synced>, Refusal> {
        self.current(&sync.member)?.heard(turn.now);
        let differs = |said: &Option<_>, held| said.as_ref().is_some_and(|said| said != held);
        if differs(&sync.protocol_type, &self.protocol_type)
            || differs(&sync.protocol, &self.protocol)
        {
            return Err(Refusal::InconsistentProtocol);
        }
        let id = &sync.member.member_id;
        match self.state {
            State::Empty | State::Dead => Err(Refusal::UnknownMember),
            State::PreparingRebalance => Err(Refusal::RebalanceInProgress),
            State::Stable => {
                self.unsynced.remove(id);
                Ok(Some(self.synced(&self.members[id])))
            }
            State::CompletingRebalance => {
                let limit = turn.options.member_bytes;
                if sync
                    .assignments
                    .iter()
                    .any(|(_, bytes)| bytes.len() > limit)
                {
                    return Err(Refusal::TooLarge);
                }
                self.unsynced.remove(id);
                let leads = self.is_leader(id);
                self.current(&sync.member)?.wait_for_sync(caller, turn);
                if leads {
                    self.assign(sync.assignments.into_iter().collect(), turn);
                }
                Ok(None)
            }
        }
    }

    /// The leader has spoken: those whom it named not get an empty assignment.
    fn assign(&mut self, mut assignments: BTreeMap<MemberId, Bytes>, turn: &mut Turn<'_>) {
        self.state = State::Stable;
        let mut callers = Vec::with_capacity(self.members.len());
        for member in self.members.values_mut() {
            let assigned = assignments.remove(&member.id).unwrap_or_default();
            // By itself: as a part of its request it would keep all of that.
            member.assignment = Bytes::copy_from_slice(&assigned);
            if let Some(caller) = member.syncing.take() {
                member.heard(turn.now);
                callers.push((caller, member.id.clone()));
            }
        }
        for (caller, id) in callers {
            let reply = self.synced(&self.members[&id]);
            turn.answer_sync(caller, Ok(reply));
        }
    }
}
