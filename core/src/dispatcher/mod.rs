//! Hands out one subscription's messages to its consumers, whatever protocol they speak.
//!
//! Pure: events in (attach, advance, settle, tick), effects out (grants, changes to persist). It
//! never sees a message, only offsets, and is told the time.

mod consumer;
mod counts;
mod grant;
mod lane;
mod settle;
#[cfg(test)]
mod tests;
mod timers;

pub use consumer::{ConsumerId, ConsumerSpec, Demand, OwnerId};
pub use counts::Counts;
pub use grant::{Grant, Receipt};
pub use settle::Settle;

use std::ops::Range;

use consumer::Consumers;
use lane::Lane;

use crate::{
    cursor::{Change, Cursor, HORIZON_STEP},
    error::{Error, ErrorKind, Result},
    id::{Millis, Offset, PartitionId},
};

/// Who gets what of a `lease` subscription.
#[derive(Debug, Default)]
pub struct Dispatcher {
    lanes: Vec<Lane>,
    consumers: Consumers,
    turn: usize,
    next_lease: u64,
    expired_on_lease: u64,
    changes: Vec<(PartitionId, Change)>,
}

impl Dispatcher {
    /// A dispatcher over one cursor a partition, in order.
    pub fn new(cursors: impl IntoIterator<Item = Cursor>) -> Self {
        Self {
            lanes: cursors.into_iter().map(Lane::new).collect(),
            next_lease: 1,
            ..Self::default()
        }
    }

    /// Adds a partition behind the last one.
    pub fn add_partition(&mut self, cursor: Cursor) {
        self.lanes.push(Lane::new(cursor));
    }

    /// Adds a consumer at the end of the ring.
    ///
    /// # Errors
    /// `Denied` where one consumer is exclusive.
    pub fn attach(&mut self, spec: ConsumerSpec) -> Result<ConsumerId> {
        self.consumers.attach(spec)
    }

    /// Takes a consumer out of the ring; its leases stay with its owner until they are settled.
    pub fn cancel(&mut self, consumer: ConsumerId) {
        self.consumers.cancel(consumer);
    }

    /// Messages below `end` may be delivered.
    pub fn advance(&mut self, partition: PartitionId, end: Offset) {
        if let Some(lane) = self.lane_mut(partition) {
            lane.advance(end);
        }
    }

    /// A horizon is persisted: messages below it may be delivered.
    pub fn reserved(&mut self, partition: PartitionId, horizon: Offset) {
        if let Some(lane) = self.lane_mut(partition) {
            lane.reserved = lane.reserved.max(horizon);
        }
    }

    /// Gives out up to `budget` messages, one to each consumer with demand in turn.
    pub fn poll(&mut self, now: Millis, budget: usize) -> Vec<Grant> {
        let mut grants = Vec::new();
        while grants.len() < budget {
            let Some((partition, offset)) = self.peek() else {
                break;
            };
            let Some(consumer) = self.consumers.next_with_demand() else {
                break;
            };
            let spec = self.consumers.spec(consumer).expect("it is in the ring");
            let (owner, deadline) = (spec.owner, spec.lease.map(|lease| now.after(lease)));
            grants.push(self.lease(partition, offset, owner, Some(consumer), deadline));
        }
        grants
    }

    /// Leases the next message to `owner` without a consumer (AMQP `basic.get`).
    pub fn get(&mut self, owner: OwnerId) -> Option<Grant> {
        let (partition, offset) = self.peek()?;
        Some(self.lease(partition, offset, owner, None, None))
    }

    /// Whether polling could give something out if there were demand.
    pub fn has_ready(&mut self) -> bool {
        self.peek().is_some()
    }

    /// Settles every message that is not leased, up to the end; returns how many messages those were.
    pub fn purge(&mut self) -> u64 {
        let mut purged = 0;
        for index in 0..self.lanes.len() {
            for range in self.lanes[index].purge() {
                purged += range.end.0 - range.start.0;
                self.push_change(partition_id(index), Change::Settle(range));
            }
        }
        purged
    }

    /// Settles offsets that are no message, or that were trimmed; leases on them end.
    pub fn vanish(&mut self, partition: PartitionId, range: Range<Offset>) {
        let Some(lane) = self.lanes.get_mut(partition.0 as usize) else {
            return;
        };
        for lease in lane.vanish(range.clone()) {
            self.consumers.give_back(lease.consumer);
        }
        self.changes.push((partition, Change::Settle(range)));
    }

    /// Moves a partition back or forward: everything below `to` is settled, nothing else is.
    /// Leases end.
    pub fn seek(&mut self, partition: PartitionId, to: Offset) {
        let Some(lane) = self.lanes.get_mut(partition.0 as usize) else {
            return;
        };
        for lease in lane.seek(to) {
            self.consumers.give_back(lease.consumer);
        }
        self.changes.push((partition, Change::Seek(to)));
    }

    /// Returns leases past their deadline and deferred messages that are due.
    pub fn tick(&mut self, now: Millis) {
        for index in 0..self.lanes.len() {
            let partition = partition_id(index);
            for receipt in self.lanes[index].expired(partition, now) {
                self.settle(receipt, Settle::Release { until: None });
            }
            self.lanes[index].wake(now);
            for offset in self.lanes[index].take_due(now) {
                let change = Change::Defer { offset, due: None };
                self.changes.push((partition, change));
            }
        }
    }

    /// When [`Dispatcher::tick`] has something to do next.
    pub fn next_tick(&self) -> Option<Millis> {
        self.lanes.iter().filter_map(Lane::next_tick).min()
    }

    /// Numbers for a person and for AMQP's `declare-ok`.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts {
            consumers: self.consumers.len(),
            ..Counts::default()
        };
        for lane in &self.lanes {
            counts.ready += lane.ready();
            counts.leased += lane.leases.len() as u64;
            counts.deferred += lane.cursor.deferred().count() as u64;
        }
        counts
    }

    /// Takes what must be persisted since the last call.
    pub fn take_changes(&mut self) -> Vec<(PartitionId, Change)> {
        std::mem::take(&mut self.changes)
    }

    /// The cursor of a partition.
    pub fn cursor(&self, partition: PartitionId) -> Option<&Cursor> {
        self.lanes
            .get(partition.0 as usize)
            .map(|lane| &lane.cursor)
    }

    /// Offsets in `range` that are leased, in order.
    pub fn leased_in(&self, partition: PartitionId, range: &Range<Offset>) -> Vec<Offset> {
        let lane = self.lanes.get(partition.0 as usize);
        let leases = lane
            .into_iter()
            .flat_map(|lane| lane.leases.range(range.clone()));
        leases.map(|(offset, _)| *offset).collect()
    }

    /// Applies a client's own commit to a partition's cursor; whoever calls persists it.
    pub fn mark(&mut self, partition: PartitionId, changes: &[Change]) {
        if let Some(lane) = self.lane_mut(partition) {
            changes.iter().for_each(|change| lane.cursor.apply(change));
        }
    }

    /// Takes a client's commit back: the cursor is one that nobody has committed to; whoever calls
    /// persists it.
    pub fn unmark(&mut self, partition: PartitionId) {
        if let Some(lane) = self.lane_mut(partition) {
            lane.cursor = Cursor::starting_at(Offset::ZERO);
        }
    }

    /// Makes every horizon exact, for a clean stop.
    pub fn exact_horizons(&mut self) {
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            let change = Change::Horizon(lane.cursor.exact_horizon(lane.next));
            lane.cursor.apply(&change);
            self.changes.push((partition_id(index), change));
        }
    }

    fn lane_mut(&mut self, partition: PartitionId) -> Option<&mut Lane> {
        self.lanes.get_mut(partition.0 as usize)
    }

    /// The next message, partitions in turn; asks for a higher horizon where one comes near.
    fn peek(&mut self) -> Option<(PartitionId, Offset)> {
        let (turn, count) = (self.turn, self.lanes.len());
        for index in (0..count).map(|step| (turn + step) % count) {
            let lane = &mut self.lanes[index];
            let Some(offset) = lane.peek() else { continue };
            if let Some(horizon) = lane.wanted_horizon(offset, HORIZON_STEP) {
                let change = Change::Horizon(horizon);
                lane.cursor.apply(&change);
                self.changes.push((partition_id(index), change));
            }
            if offset < lane.reserved {
                self.turn = index;
                return Some((partition_id(index), offset));
            }
        }
        None
    }

    fn lease(
        &mut self,
        partition: PartitionId,
        offset: Offset,
        owner: OwnerId,
        consumer: Option<ConsumerId>,
        deadline: Option<Millis>,
    ) -> Grant {
        let index = partition.0 as usize;
        let lane = &mut self.lanes[index];
        let receipt = Receipt {
            partition,
            offset,
            lease: self.next_lease,
        };
        self.next_lease += 1;
        lane.lease(receipt, owner, consumer, deadline);
        self.turn = index + 1;
        Grant {
            receipt,
            consumer,
            attempts: lane.cursor.attempts(offset),
            redelivered: lane.cursor.redelivered(offset),
        }
    }
}

fn partition_id(index: usize) -> PartitionId {
    PartitionId(u32::try_from(index).expect("partitions are numbered in 32 bits"))
}

fn denied(message: &str) -> Error {
    Error::new(ErrorKind::Denied, "attach consumer", message)
}
