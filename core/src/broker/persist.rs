//! What of a subscription changes, made durable: settlements, and how far deliveries may go.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::MutexGuard;

use super::{
    Inner, Mode, Subscription, Topic,
    completion::{Completion, Due, Effect},
    subscription::State,
};
use crate::{
    cursor::{Change, Cursor, encode_changes},
    error::Result,
    id::{Millis, Offset, PartitionId},
    store::{Commit, CommitSeq, Durability, Op},
};

/// Trimming waits for this many settled offsets, unless the log is settled whole.
const TRIM_STEP: u64 = 1024;

impl Subscription {
    /// The turn of a group's commits. Whoever persists a group's cursor takes it first: in between, a
    /// commit is in the store already and not yet in memory, and a snapshot would undo it.
    pub(super) fn commit_turn<'a>(&self, broker: Option<&'a Inner>) -> Option<MutexGuard<'a, ()>> {
        let broker = broker.filter(|_| self.mode == Mode::Positional);
        broker.map(|broker| broker.group_commits.lock())
    }

    /// Persists, where nobody is there to be told of an error: `false` where the store refuses.
    pub(super) fn persist_later(&self, state: &mut State) -> bool {
        self.persist(state).is_ok()
    }

    /// Persists what the store refused before, if anything.
    pub(super) fn make_up(&self) {
        let broker = self.broker.upgrade();
        let _turn = self.commit_turn(broker.as_deref());
        let mut state = self.state.lock();
        if !state.refused.is_empty() {
            self.persist_later(&mut state);
        }
    }

    /// Submits what changed since the last call, under the state's lock, so that changes keep
    /// their order; and what the store refused before. `None` where nothing is to be submitted or
    /// nothing of this subscription is kept.
    pub(super) fn persist(&self, state: &mut State) -> Result<Option<CommitSeq>> {
        if state.deleted {
            // It would bring its cursors back.
            return Ok(None);
        }
        let mut changed = by_partition(state.dispatcher.take_changes());
        for refused in &state.refused {
            if !changed.iter().any(|(at, _)| at == refused) {
                changed.push((*refused, Vec::new()));
            }
        }
        let (false, Some(topic), Some(broker)) = (
            changed.is_empty(),
            self.topic.upgrade(),
            self.broker.upgrade(),
        ) else {
            return Ok(None);
        };
        let mut ops = Vec::with_capacity(changed.len());
        let mut horizons = Vec::new();
        for (partition, changes) in &changed {
            self.update_held(state, *partition);
            horizons.extend(self.new_horizon(state, *partition, changes));
            ops.push(self.cursor_op(state, *partition, changes));
            ops.extend(super::janitor::trim_op(&topic, *partition, TRIM_STEP));
        }
        let submitted = topic.store.submit(Commit {
            ops,
            durability: Durability::Os,
            epoch: broker.epoch,
        });
        let submitted = submitted.inspect_err(|error| {
            if state.refused.is_empty() {
                tracing::error!(subscription = %self.name, %error, "changes of a cursor are not persisted yet");
            }
            for (at, _) in &changed {
                state.refused.insert(*at);
                topic.owe_trim(*at);
            }
        })?;
        state.refused.clear();
        self.reserve(&topic, &broker, submitted.seq, horizons, state);
        Ok(Some(submitted.seq))
    }

    /// The horizon that a commit of these changes persists, where it is another one.
    fn new_horizon(
        &self,
        state: &State,
        partition: PartitionId,
        changes: &[Change],
    ) -> Option<(PartitionId, Offset)> {
        let new = if state.refused.contains(&partition) {
            state.dispatcher.cursor(partition).map(Cursor::horizon)
        } else {
            changes.iter().rev().find_map(horizon)
        };
        new.map(|horizon| (partition, horizon))
    }

    fn cursor_op(&self, state: &mut State, partition: PartitionId, changes: &[Change]) -> Op {
        let snapshots = &mut state.snapshots[partition.0 as usize];
        let cursor = state.dispatcher.cursor(partition);
        let delta = encoded(changes);
        let reset = snapshots.is_due(delta.len()) || state.refused.contains(&partition);
        let change = match cursor {
            Some(cursor) if reset => {
                let snapshot = encoded(&cursor.snapshot());
                snapshots.taken(snapshot.len());
                snapshot
            }
            _ => delta,
        };
        Op::Cursor {
            cursor: self.cursor_id(partition),
            change,
            reset,
        }
    }

    /// A horizon holds once it is on disk; in memory it holds at once.
    fn reserve(
        &self,
        topic: &Arc<Topic>,
        broker: &Arc<Inner>,
        seq: CommitSeq,
        horizons: Vec<(PartitionId, Offset)>,
        state: &mut State,
    ) {
        if horizons.is_empty() {
            return;
        }
        let this = topic
            .subscription(&self.name)
            .filter(|this| this.id == self.id);
        let (false, Some(this)) = (topic.lives_in_memory(), this) else {
            for (partition, horizon) in horizons {
                state.dispatcher.reserved(partition, horizon);
            }
            return self.wake.notify_one();
        };
        state.reserving.add(seq, &horizons);
        let effects = horizons
            .into_iter()
            .map(|(partition, horizon)| Effect::Reserved(this.clone(), partition, horizon));
        let completion = Completion {
            seq,
            effects: effects.collect(),
            confirm: None,
            admission: super::Admission::none(),
        };
        broker.completions.push(Due::Disk, completion);
    }
}

/// Horizons on their way to disk, up to the last commit that has one.
#[derive(Debug, Default)]
pub(super) struct Reserving(Option<(CommitSeq, Vec<(PartitionId, Offset)>)>);

impl Reserving {
    fn add(&mut self, seq: CommitSeq, horizons: &[(PartitionId, Offset)]) {
        let (last, all) = self.0.get_or_insert_with(|| (seq, Vec::new()));
        *last = seq;
        all.retain(|(at, _)| horizons.iter().all(|(new, _)| new != at));
        all.extend(horizons);
    }

    /// The commit with which all of them hold.
    pub(super) fn seq(&self) -> Option<CommitSeq> {
        self.0.as_ref().map(|(seq, _)| *seq)
    }

    /// What holds once the commit `seq` is on disk; nothing where a later one is on its way.
    pub(super) fn take(&mut self, seq: CommitSeq) -> Vec<(PartitionId, Offset)> {
        let done = self.0.take_if(|(last, _)| *last == seq);
        done.map_or_else(Vec::new, |(_, horizons)| horizons)
    }
}

/// Milliseconds that the system's clock is ahead of this process's own: other processes know only the
/// former, and it may have been set since this one began.
pub(super) fn ahead() -> i64 {
    Millis::now().0.saturating_sub(Millis::steady().0)
}

/// As they are stored: by the system's clock.
fn encoded(changes: &[Change]) -> Bytes {
    let waits = |change: &Change| matches!(change, Change::Defer { .. });
    if changes.iter().any(waits) {
        return encode_changes(&later(changes.to_vec(), ahead()));
    }
    encode_changes(changes)
}

/// The changes with all times that something waits for this many milliseconds later.
pub(super) fn later(mut changes: Vec<Change>, by: i64) -> Vec<Change> {
    for change in &mut changes {
        if let Change::Defer { due: Some(due), .. } = change {
            due.0 = due.0.saturating_add(by);
        }
    }
    changes
}

fn by_partition(changes: Vec<(PartitionId, Change)>) -> Vec<(PartitionId, Vec<Change>)> {
    let mut all: Vec<(PartitionId, Vec<Change>)> = Vec::new();
    for (partition, change) in changes {
        match all.iter_mut().find(|(at, _)| *at == partition) {
            Some((_, changes)) => changes.push(change),
            None => all.push((partition, vec![change])),
        }
    }
    all
}

fn horizon(change: &Change) -> Option<Offset> {
    match change {
        Change::Horizon(horizon) => Some(*horizon),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_waits_for_a_time_is_later() {
        let defer = |due: Option<i64>| Change::Defer {
            offset: Offset(1),
            due: due.map(Millis),
        };
        let settle = || Change::Settle(Offset(1)..Offset(2));
        let changes = vec![settle(), defer(Some(5)), defer(None)];
        let changed = later(changes.clone(), 10);
        assert_eq!(changed, [settle(), defer(Some(15)), defer(None)]);
        assert_eq!(later(changed, -10), changes);
    }
}
