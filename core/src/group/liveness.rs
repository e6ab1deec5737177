//! Heartbeats, commits, and what happens when time passes.

use super::{Effect, Membership, Options, Refusal, State, roster::Group, turn::Turn};
use crate::id::Millis;

impl Group {
    /// A sign of life.
    ///
    /// # Errors
    /// `RebalanceInProgress` while members have to join again; the sign counts all the same.
    pub(super) fn heartbeat(&mut self, who: &Membership, now: Millis) -> Result<(), Refusal> {
        self.current(who)?.heard(now);
        match self.state {
            State::Stable | State::CompletingRebalance => Ok(()),
            State::PreparingRebalance => Err(Refusal::RebalanceInProgress),
            State::Empty | State::Dead => Err(Refusal::UnknownMember),
        }
    }

    /// Whether offsets may be committed. Counts as a sign of life. The store may refuse them still.
    ///
    /// # Errors
    /// `RebalanceInProgress` while the assignment is awaited: who held what is over. While joins
    /// are awaited it is not, and members commit what they had.
    pub(super) fn check_commit(&mut self, who: &Membership, now: Millis) -> Result<(), Refusal> {
        if who.is_outside() && self.state == State::Empty {
            self.empty_since = now;
        } else {
            self.current(who)?.heard(now);
        }
        if self.state == State::CompletingRebalance {
            return Err(Refusal::RebalanceInProgress);
        }
        Ok(())
    }

    /// Lets time pass: ids, members and waits that have come to their end.
    pub(super) fn tick(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now;
        self.pending.retain(|_, until| *until > now);
        let mut gone: Vec<_> = Vec::new();
        for member in self
            .members
            .values_mut()
            .filter(|member| member.deadline <= now)
        {
            if member.is_kept_waiting() {
                member.heard(now);
            } else {
                gone.push(member.id.clone());
            }
        }
        if !self.unsynced.is_empty() && self.sync_deadline <= now {
            gone.extend(std::mem::take(&mut self.unsynced));
        }
        for id in &gone {
            self.take_out(id, turn);
        }
        if !gone.is_empty() {
            self.rebalance(turn);
        } else {
            self.settle_down(turn);
        }
        if self
            .gathering
            .as_ref()
            .is_some_and(|gathering| gathering.deadline <= now)
        {
            self.gathering_expired(turn);
        }
        if self.has_expired(turn) {
            self.state = State::Dead;
            if self.has_commits {
                let group = self.id.clone();
                turn.effects.push(Effect::Expired { group });
            }
        }
    }

    /// When time changes something next, or earlier.
    pub(super) fn next_deadline(&self, options: &Options) -> Option<Millis> {
        let sessions = self.members.values().map(|member| member.deadline);
        let ids = self.pending.values().copied();
        let joins = self.gathering.as_ref().map(|gathering| gathering.deadline);
        let syncs = (!self.unsynced.is_empty()).then_some(self.sync_deadline);
        let is_idle = self.state == State::Empty && self.pending.is_empty();
        let expiry = is_idle.then(|| self.expires_at(options));
        sessions
            .chain(ids)
            .chain(joins)
            .chain(syncs)
            .chain(expiry)
            .min()
    }

    fn has_expired(&self, turn: &Turn<'_>) -> bool {
        self.state == State::Empty
            && self.pending.is_empty()
            && self.expires_at(turn.options) <= turn.now
    }

    /// When it goes if no member comes.
    fn expires_at(&self, options: &Options) -> Millis {
        let longest = options.empty_retention;
        let retention = if self.has_commits {
            longest
        } else {
            options.uncommitted_retention.min(longest)
        };
        self.empty_since.after(retention)
    }
}
