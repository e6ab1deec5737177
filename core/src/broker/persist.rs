//! What of a subscription changes, made durable: settlements, and how far deliveries may go.

use std::sync::Arc;

use super::{
    Inner, Subscription, Topic,
    completion::{Completion, Due, Effect},
    subscription::State,
};
use crate::{
    cursor::{Change, Cursor, encode_changes},
    error::Result,
    id::{Offset, PartitionId},
    store::{Commit, CommitSeq, Durability, Op},
};

/// Trimming waits for this many settled offsets, unless the log is settled whole.
const TRIM_STEP: u64 = 1024;

impl Subscription {
    /// Persists, where nobody is there to be told of an error: `false` where the store refuses.
    pub(super) fn persist_or_log(&self, state: &mut State) -> bool {
        let known = !state.refused.is_empty();
        let Err(error) = self.persist(state) else {
            return true;
        };
        if !known {
            tracing::error!(subscription = %self.name, %error, "changes of a cursor are not persisted yet");
        }
        false
    }

    /// Persists what the store refused before, if anything.
    pub(super) fn make_up(&self) {
        let mut state = self.state.lock();
        if !state.refused.is_empty() {
            self.persist_or_log(&mut state);
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
        let submitted = submitted.inspect_err(|_| {
            state.refused.extend(changed.iter().map(|(at, _)| *at));
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
        let delta = encode_changes(changes);
        let reset = snapshots.is_due(delta.len()) || state.refused.contains(&partition);
        let change = match cursor {
            Some(cursor) if reset => {
                let snapshot = encode_changes(&cursor.snapshot());
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
