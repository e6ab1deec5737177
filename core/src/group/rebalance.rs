//! From one generation to the next.

use std::time::Duration;

use super::{Effect, MemberId, Refusal, State, roster::Group, turn::Turn};
use crate::id::Millis;

/// How long joins are waited for.
#[derive(Debug)]
pub(super) struct Gathering {
    /// When what has joined by then goes on.
    pub(super) deadline: Millis,
    /// In a group that was empty, the wait is longer while more members come, up to this point.
    pub(super) initial_until: Option<Millis>,
    /// Whether a member came since the deadline was set.
    pub(super) grew: bool,
}

impl Group {
    /// Begins a rebalance, or ends the one under way when the last join is there.
    pub(super) fn rebalance(&mut self, turn: &mut Turn<'_>) {
        if self.state != State::PreparingRebalance {
            self.begin_rebalance(turn);
        }
        let is_initial = self
            .gathering
            .as_ref()
            .is_some_and(|g| g.initial_until.is_some());
        let all_joined = self.members.values().all(|member| member.joining.is_some());
        if !is_initial && all_joined && self.pending.is_empty() {
            self.end_gathering(turn);
        }
    }

    fn begin_rebalance(&mut self, turn: &mut Turn<'_>) {
        for member in self.members.values_mut() {
            if let Some(caller) = member.syncing.take() {
                turn.answer_sync(caller, Err(Refusal::RebalanceInProgress));
            }
            member.assignment.clear();
        }
        self.unsynced.clear();
        let limit = turn.now.after(self.rebalance_timeout());
        let delay = turn.options.initial_rebalance_delay;
        let is_initial = self.state == State::Empty && !delay.is_zero();
        self.gathering = Some(Gathering {
            deadline: if is_initial {
                turn.now.after(delay).min(limit)
            } else {
                limit
            },
            initial_until: is_initial.then_some(limit),
            grew: false,
        });
        self.state = State::PreparingRebalance;
    }

    /// The wait for joins is over: time passed its deadline.
    pub(super) fn gathering_expired(&mut self, turn: &mut Turn<'_>) {
        let delay = turn.options.initial_rebalance_delay;
        if let Some(gathering) = &mut self.gathering
            && let Some(until) = gathering.initial_until
            && gathering.grew
            && turn.now < until
        {
            gathering.grew = false;
            gathering.deadline = turn.now.after(delay).min(until);
            return;
        }
        self.end_gathering(turn);
    }

    fn end_gathering(&mut self, turn: &mut Turn<'_>) {
        // Static members may be restarting: they stay until their session ends.
        let is_missing = |id: &MemberId, group: &Self| {
            let member = &group.members[id];
            member.joining.is_none() && member.instance_id.is_none()
        };
        let missing: Vec<_> = self
            .members
            .keys()
            .filter(|id| is_missing(id, self))
            .cloned()
            .collect();
        for id in &missing {
            self.take_out(id, turn);
        }
        let leads = |id: &MemberId| self.members.get(id).is_some_and(|m| m.joining.is_some());
        if !self.leader.as_ref().is_some_and(leads) {
            let first = self
                .members
                .values()
                .find(|member| member.joining.is_some());
            match first.map(|member| member.id.clone()) {
                Some(id) => self.leader = Some(id),
                None if self.members.is_empty() => self.leader = None,
                None => return self.wait_longer(turn),
            }
        }
        self.gathering = None;
        // After 2^31 rebalances the count begins again; no member of the first is left by then.
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        if self.members.is_empty() {
            self.become_empty(turn);
        } else {
            self.begin_generation(turn);
        }
    }

    fn wait_longer(&mut self, turn: &mut Turn<'_>) {
        self.gathering = Some(Gathering {
            deadline: turn.now.after(self.rebalance_timeout()),
            initial_until: None,
            grew: false,
        });
    }

    fn become_empty(&mut self, turn: &mut Turn<'_>) {
        self.state = State::Empty;
        self.protocol = "".into();
        self.empty_since = turn.now;
        let group = self.id.clone();
        turn.effects.push(Effect::Emptied { group });
    }

    fn begin_generation(&mut self, turn: &mut Turn<'_>) {
        self.state = State::CompletingRebalance;
        self.protocol = self.elect_protocol();
        self.unsynced = self.members.keys().cloned().collect();
        self.sync_deadline = turn.now.after(self.rebalance_timeout());
        let mut callers = Vec::with_capacity(self.members.len());
        for member in self.members.values_mut() {
            member.is_new = false;
            member.heard(turn.now);
            callers.extend(
                member
                    .joining
                    .take()
                    .map(|caller| (caller, member.id.clone())),
            );
        }
        for (caller, id) in callers {
            let reply = self.joined(&self.members[&id]);
            turn.answer_join(caller, Ok(reply));
        }
    }

    fn rebalance_timeout(&self) -> Duration {
        let longest = self
            .members
            .values()
            .map(|member| member.rebalance_timeout)
            .max();
        longest.unwrap_or_default()
    }
}
