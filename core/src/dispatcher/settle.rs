//! How a lease ends.

use super::{Dispatcher, OwnerId, Receipt, partition_id};
use crate::{
    cursor::Change,
    id::{Millis, Offset, PartitionId},
};

/// Leases of an owner that end in one go.
const PIECE: usize = 1024;

/// What becomes of a leased message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settle {
    /// Done, or rejected with a reason that the shell has dealt with.
    Done,
    /// To be delivered again, at its original place, at once or not before `until`.
    Release {
        /// The earliest time, or `None` for at once.
        until: Option<Millis>,
    },
    /// It never reached the consumer: as if it had not been delivered.
    Unsent,
    /// Likewise, and out of turn until then: it cannot be delivered at present, and what is behind it
    /// can. In memory only.
    Rest {
        /// When its turn comes again.
        until: Millis,
    },
    /// The lease lasts until then.
    Extend {
        /// The new deadline.
        until: Millis,
    },
}

impl Dispatcher {
    /// Settles one delivery; `false` where its lease has ended before. What expired meanwhile is done
    /// with when it comes back.
    pub fn settle(&mut self, receipt: Receipt, settle: Settle) -> bool {
        let Some(lane) = self.lanes.get_mut(receipt.partition.0 as usize) else {
            return false;
        };
        if let Settle::Extend { until } = settle {
            return lane.extend(receipt, until);
        }
        let Some(lease) = lane.end_lease(receipt) else {
            return false;
        };
        let settle = match settle {
            Settle::Release { .. } | Settle::Unsent | Settle::Rest { .. } if lease.is_expired => {
                self.expired_on_lease += 1;
                Settle::Done
            }
            settle => settle,
        };
        let offset = receipt.offset;
        let mut changes = Vec::new();
        match settle {
            Settle::Done => changes.push(Change::Settle(offset..offset.next())),
            Settle::Release { until } => {
                let attempts = lane.cursor.attempts(offset).saturating_add(1);
                let offsets = offset..offset.next();
                changes.push(Change::Attempts { offsets, attempts });
                changes.extend(until.map(|due| Change::Defer {
                    offset,
                    due: Some(due),
                }));
            }
            Settle::Unsent | Settle::Rest { .. } | Settle::Extend { .. } => {}
        }
        for change in &changes {
            match change {
                Change::Defer {
                    offset,
                    due: Some(due),
                } => lane.defer(*offset, *due),
                change => lane.cursor.apply(change),
            }
        }
        match settle {
            Settle::Rest { until } => lane.rest(offset, until),
            _ if lane.cursor.deferred_until(offset).is_none() => lane.give_back(offset),
            _ => {}
        }
        self.consumers.give_back(lease.consumer);
        changes
            .into_iter()
            .for_each(|change| self.push_change(receipt.partition, change));
        true
    }

    /// Releases every lease of an owner that is gone; returns how many there were.
    pub fn release_owner(&mut self, owner: OwnerId) -> usize {
        let mut released = 0;
        for index in 0..self.lanes.len() {
            let partition = partition_id(index);
            let mut from = Offset::ZERO;
            loop {
                // There may be millions.
                let held = self.lanes[index].leases_of(partition, owner, from, PIECE);
                let Some(last) = held.last() else {
                    break;
                };
                from = last.offset.next();
                released += held.len();
                for receipt in held {
                    self.settle(receipt, Settle::Release { until: None });
                }
            }
        }
        released
    }

    /// Settles those of `offsets` that are neither settled nor on lease; returns how many. What is on
    /// lease stays with its holder, and is settled when it comes back.
    pub fn expire(&mut self, partition: PartitionId, offsets: &[Offset]) -> u64 {
        let mut expired = 0;
        for offset in offsets.iter().copied() {
            let Some(lane) = self.lanes.get_mut(partition.0 as usize) else {
                break;
            };
            if lane.expire(offset) {
                expired += 1;
                self.push_change(partition, Change::Settle(offset..offset.next()));
            }
        }
        expired
    }

    /// How many messages came back after they had expired on lease, and were settled then.
    pub fn expired_on_lease(&self) -> u64 {
        self.expired_on_lease
    }

    /// Adds a change; one that says the same of what is behind the last one lengthens that.
    pub(super) fn push_change(&mut self, partition: PartitionId, change: Change) {
        let last = self.changes.last_mut();
        let last = last.filter(|(of, _)| *of == partition);
        if !last.is_some_and(|(_, last)| lengthen(last, &change)) {
            self.changes.push((partition, change));
        }
    }
}

/// Whether `last` says of what `change` is about as well what it says.
fn lengthen(last: &mut Change, change: &Change) -> bool {
    let (last, range) = match (last, change) {
        (Change::Settle(last), Change::Settle(range)) => (last, range),
        (
            Change::Attempts {
                offsets: last,
                attempts,
            },
            Change::Attempts {
                offsets: range,
                attempts: same,
            },
        ) if attempts == same => (last, range),
        _ => return false,
    };
    let follows = last.end == range.start;
    if follows {
        last.end = range.end;
    }
    follows
}
