//! One partition of a subscription: its cursor, and the leases in front of it.

use std::{collections::BTreeMap, ops::Range};

use super::{ConsumerId, OwnerId, Receipt, timers::Timers};
use crate::{
    cursor::{Change, Cursor},
    id::{Millis, Offset, PartitionId},
    ranges::Ranges,
};

#[derive(Debug, Clone, Copy)]
pub(super) struct Lease {
    pub(super) number: u64,
    pub(super) owner: OwnerId,
    pub(super) consumer: Option<ConsumerId>,
    pub(super) deadline: Option<Millis>,
    /// Whether the message's time to live ended meanwhile: nobody gets it after this one.
    pub(super) is_expired: bool,
}

/// Offsets below `next` are settled, leased, deferred, at rest or returned; those from `next` to `end`
/// are settled or were not looked at yet.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) cursor: Cursor,
    pub(super) leases: BTreeMap<Offset, Lease>,
    pub(super) next: Offset,
    pub(super) reserved: Offset,
    end: Offset,
    returned: Ranges,
    deadlines: Timers,
    due: Timers,
    /// What cannot be delivered at present, and when its turn comes again. It is ready all the same.
    resting: BTreeMap<Offset, Millis>,
}

impl Lane {
    pub(super) fn new(cursor: Cursor) -> Self {
        let mut lane = Self {
            next: cursor.floor(),
            end: cursor.floor(),
            reserved: cursor.horizon(),
            leases: BTreeMap::new(),
            returned: Ranges::default(),
            deadlines: Timers::default(),
            due: Timers::default(),
            resting: BTreeMap::new(),
            cursor,
        };
        for (offset, due) in lane.cursor.deferred() {
            lane.due.add(Some(due), offset);
        }
        lane.skip_settled();
        lane
    }

    pub(super) fn advance(&mut self, end: Offset) {
        self.end = self.end.max(end);
    }

    pub(super) fn peek(&self) -> Option<Offset> {
        let fresh = (self.next < self.end).then_some(self.next);
        self.returned.first().or(fresh)
    }

    /// A higher horizon to persist, where `offset` comes within half a step of the present one.
    pub(super) fn wanted_horizon(&self, offset: Offset, step: u64) -> Option<Offset> {
        let near = offset.plus(step / 2) >= self.cursor.horizon();
        near.then(|| offset.plus(step))
    }

    pub(super) fn lease(
        &mut self,
        receipt: Receipt,
        owner: OwnerId,
        consumer: Option<ConsumerId>,
        deadline: Option<Millis>,
    ) {
        let offset = receipt.offset;
        let only = offset..offset.next();
        if self.returned.cover(&only) {
            self.returned.remove(&only);
        } else {
            self.next = offset.next();
            self.skip_settled();
        }
        let lease = Lease {
            number: receipt.lease,
            owner,
            consumer,
            deadline,
            is_expired: false,
        };
        self.deadlines.add(deadline, offset);
        let before = self.leases.insert(offset, lease);
        assert!(before.is_none(), "one message, one holder");
    }

    /// Ends the lease that `receipt` names, if it is still that one.
    pub(super) fn end_lease(&mut self, receipt: Receipt) -> Option<Lease> {
        let lease = self.leases.get(&receipt.offset)?;
        if lease.number != receipt.lease {
            return None;
        }
        self.take_lease(receipt.offset)
    }

    /// Gives the lease that `receipt` names another deadline; `false` where it has ended.
    pub(super) fn extend(&mut self, receipt: Receipt, until: Millis) -> bool {
        let lease = self.leases.get_mut(&receipt.offset);
        let Some(lease) = lease.filter(|lease| lease.number == receipt.lease) else {
            return false;
        };
        self.deadlines.remove(lease.deadline, receipt.offset);
        lease.deadline = Some(until);
        self.deadlines.add(lease.deadline, receipt.offset);
        true
    }

    /// Out of turn until `due`.
    pub(super) fn defer(&mut self, offset: Offset, due: Millis) {
        self.cursor.apply(&Change::Defer {
            offset,
            due: Some(due),
        });
        self.due.add(Some(due), offset);
    }

    fn take_lease(&mut self, offset: Offset) -> Option<Lease> {
        let lease = self.leases.remove(&offset)?;
        self.deadlines.remove(lease.deadline, offset);
        Some(lease)
    }

    /// Back to its place: served before anything behind it.
    pub(super) fn give_back(&mut self, offset: Offset) {
        if !self.cursor.is_settled(offset) {
            self.returned.insert(&(offset..offset.next()));
        }
    }

    /// Out of turn until `until`, and nothing more comes of it.
    pub(super) fn rest(&mut self, offset: Offset, until: Millis) {
        if !self.cursor.is_settled(offset) {
            self.resting.insert(offset, until);
        }
    }

    /// What has rested long enough is back in its place.
    pub(super) fn wake(&mut self, now: Millis) {
        let rested = self.resting.extract_if(.., |_, until| *until <= now);
        for (offset, _) in rested {
            self.returned.insert(&(offset..offset.next()));
        }
    }

    /// Waiting messages, as ranges in order; all become settled.
    pub(super) fn purge(&mut self) -> Vec<Range<Offset>> {
        self.wake(Millis(i64::MAX));
        let mut ranges: Vec<_> = std::mem::take(&mut self.returned).iter().collect();
        while self.next < self.end {
            let start = self.next;
            let mut end = start;
            while end < self.end && self.is_fresh(end) {
                end = end.next();
            }
            ranges.push(start..end);
            self.next = end;
            self.skip_settled();
        }
        for range in &ranges {
            self.cursor.apply(&Change::Settle(range.clone()));
        }
        ranges
    }

    pub(super) fn vanish(&mut self, range: Range<Offset>) -> Vec<Lease> {
        self.cursor.apply(&Change::Settle(range.clone()));
        let offsets: Vec<_> = self.leases.range(range.clone()).map(|(o, _)| *o).collect();
        let ended = offsets.into_iter();
        let ended = ended.filter_map(|offset| self.take_lease(offset)).collect();
        self.returned.remove(&range);
        self.resting.retain(|offset, _| !range.contains(offset));
        self.skip_settled();
        ended
    }

    /// Settles an offset that nobody holds; `false` where it is settled, or on lease, which is noted.
    pub(super) fn expire(&mut self, offset: Offset) -> bool {
        if let Some(lease) = self.leases.get_mut(&offset) {
            lease.is_expired = true;
            return false;
        }
        if self.cursor.is_settled(offset) {
            return false;
        }
        self.cursor.apply(&Change::Settle(offset..offset.next()));
        self.returned.remove(&(offset..offset.next()));
        self.resting.remove(&offset);
        if offset == self.next {
            self.skip_settled();
        }
        true
    }

    pub(super) fn seek(&mut self, to: Offset) -> Vec<Lease> {
        self.cursor.apply(&Change::Seek(to));
        self.returned = Ranges::default();
        self.deadlines = Timers::default();
        self.due = Timers::default();
        self.resting.clear();
        self.next = to;
        std::mem::take(&mut self.leases).into_values().collect()
    }

    /// Receipts of leases whose deadline has passed.
    pub(super) fn expired(&mut self, partition: PartitionId, now: Millis) -> Vec<Receipt> {
        let offsets = self.deadlines.take_until(now);
        let receipts = offsets.into_iter().filter_map(|offset| {
            let lease = self.leases.get(&offset)?.number;
            Some(Receipt {
                partition,
                offset,
                lease,
            })
        });
        receipts.collect()
    }

    /// The first of an owner's leases from an offset on.
    pub(super) fn leases_of(
        &self,
        partition: PartitionId,
        owner: OwnerId,
        from: Offset,
        most: usize,
    ) -> Vec<Receipt> {
        let held = self.leases.range(from..);
        let held = held.filter(|(_, lease)| lease.owner == owner).take(most);
        held.map(|(offset, lease)| Receipt {
            partition,
            offset: *offset,
            lease: lease.number,
        })
        .collect()
    }

    /// Deferred messages whose time has come: back in turn.
    pub(super) fn take_due(&mut self, now: Millis) -> Vec<Offset> {
        let mut due = self.due.take_until(now);
        due.retain(|offset| self.cursor.deferred_until(*offset).is_some());
        for offset in &due {
            self.cursor.apply(&Change::Defer {
                offset: *offset,
                due: None,
            });
            if *offset < self.next {
                self.returned.insert(&(*offset..offset.next()));
            }
        }
        due
    }

    pub(super) fn next_tick(&self) -> Option<Millis> {
        self.deadlines
            .next()
            .into_iter()
            .chain(self.due.next())
            .chain(self.resting.values().min().copied())
            .min()
    }

    pub(super) fn ready(&self) -> u64 {
        let span = self.end.0.saturating_sub(self.next.0);
        let settled = self.cursor.settled_in(self.next..self.end);
        let ahead = self
            .cursor
            .deferred()
            .filter(|(offset, _)| *offset >= self.next);
        let waiting = self.returned.count() + self.resting.len() as u64;
        waiting + span - settled - ahead.count() as u64
    }

    fn is_fresh(&self, offset: Offset) -> bool {
        !self.cursor.is_settled(offset) && self.cursor.deferred_until(offset).is_none()
    }

    fn skip_settled(&mut self) {
        loop {
            self.next = self.cursor.next_unsettled(self.next);
            // Deferred before a restart: it stays out of turn until it is due.
            if self.cursor.deferred_until(self.next).is_none() {
                return;
            }
            self.next = self.next.next();
        }
    }
}
