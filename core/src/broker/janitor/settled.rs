//! Space under `settled` retention: trimmed below the lowest holder, and forgotten above it where
//! every holder is through, so that one message that nobody settles pins what is around it only.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    ops::Range,
    sync::Arc,
};

use super::common::common;
use crate::{
    broker::{Broker, Retention, Subscription, Topic, partition::Partition},
    error::Result,
    id::{Offset, PartitionId},
    store::Op,
};

/// Ranges that one round forgets at most; the next one goes on.
pub(super) const FORGETS_A_ROUND: usize = 8192;
/// Ranges of one partition that one round forgets at most.
const FORGETS_A_PARTITION: usize = 1024;
/// A range is worth forgetting from this length on, or where it reaches the log's end.
const WORTH: u64 = 1024;

/// Under `settled` retention: a trim up to the lowest offset that a holder still needs, once that
/// is worth it.
pub(in crate::broker) fn trim_op(topic: &Topic, at: PartitionId, step: u64) -> Option<Op> {
    if topic.retention() != Retention::Settled {
        return None;
    }
    let partition = topic.partition(at).ok()?;
    let holders = topic.subscriptions.read_recursive();
    let below = holders
        .values()
        .filter_map(|holder| holder.held(at))
        .min()?;
    trim_to(&partition, below, step)
}

fn trim_to(partition: &Partition, below: Offset, step: u64) -> Option<Op> {
    let (start, end) = (partition.start(), partition.end());
    // A group may have committed what is not there yet, and a lease ends before its message is on disk.
    let below = below.min(partition.stable());
    let worth = below.0 >= start.0.saturating_add(step) || (below > start && below == end);
    if !partition.take_owed_trim() && !worth {
        return None;
    }
    partition.trim(below);
    Some(Op::Trim {
        log: partition.log,
        below: partition.start(),
    })
}

impl Broker {
    /// Gives back what every holder of a topic has settled, at most `budget` ranges above the
    /// trim point, in one commit.
    pub(super) async fn give_back_settled(
        &self,
        topic: &Arc<Topic>,
        budget: &mut usize,
    ) -> Result<()> {
        // Looked at first: what changes while the ranges are found is seen the next time.
        let mut changed = Vec::new();
        for at in (0..topic.partition_count()).map(PartitionId) {
            let partition = topic.partition(at)?;
            let look = look(topic, at, &partition);
            if partition.space.lock().has_changed(look) {
                changed.push((at, partition, look));
            }
        }
        if changed.is_empty() {
            return Ok(());
        }
        // Within a turn: whoever asks meanwhile that more be kept waits, and is not answered before.
        let _turn = self.turn().await;
        if topic.is_gone() || topic.retention() != Retention::Settled {
            return Ok(());
        }
        let (mut ops, mut found) = (Vec::new(), Vec::new());
        for (at, partition, look) in changed {
            ops.extend(trim_op(topic, at, 1));
            let room = FORGETS_A_PARTITION.min(*budget);
            let (ranges, is_all) = forgettable(topic, at, &partition, room);
            *budget -= ranges.len();
            let log = partition.log;
            let forgets = ranges.iter().cloned();
            ops.extend(forgets.map(|range| Op::Forget { log, range }));
            found.push((partition, ranges, is_all.then_some(look)));
        }
        if !ops.is_empty() {
            self.submit_space(topic, ops).inspect_err(|_| {
                found
                    .iter()
                    .for_each(|(partition, ..)| partition.owe_trim());
            })?;
        }
        for (partition, ranges, look) in found {
            let mut space = partition.space.lock();
            ranges.iter().for_each(|range| space.forgot(range));
            look.into_iter().for_each(|look| space.seen(look));
        }
        Ok(())
    }
}

/// A number that is another one when what holds the partition, or its end, is another.
fn look(topic: &Topic, at: PartitionId, partition: &Partition) -> u64 {
    let mut hasher = DefaultHasher::new();
    partition.stable().hash(&mut hasher);
    for subscription in topic.subscriptions() {
        (subscription.id, subscription.held_version(at)).hash(&mut hasher);
    }
    hasher.finish()
}

/// At most `room` ranges above the log's start that every holder has settled and that are not
/// forgotten yet; and whether these are all of them.
fn forgettable(
    topic: &Topic,
    at: PartitionId,
    partition: &Partition,
    room: usize,
) -> (Vec<Range<Offset>>, bool) {
    let stable = partition.stable();
    let holders = topic.subscriptions();
    let holders = holders.iter().filter(|holder| holder.held(at).is_some());
    let stretches = |holder: &Arc<Subscription>| holder.settled_stretches(at, WORTH, stable);
    let settled = holders.map(stretches).reduce(|a, b| common(&a, &b));
    let start = partition.start();
    let mut space = partition.space.lock();
    space.starts_at(start);
    let within = settled.into_iter().flatten().filter_map(|range| {
        let range = range.start.max(start)..range.end.min(stable);
        let left = space.left_of(&range);
        // The whole range even where a part is forgotten: an entry may lie across the border.
        let worth = left >= WORTH || (left > 0 && range.end == stable);
        (range.start < range.end && worth).then_some(range)
    });
    let mut ranges: Vec<_> = within.take(room + 1).collect();
    let is_all = ranges.len() <= room;
    ranges.truncate(room);
    (ranges, is_all)
}
