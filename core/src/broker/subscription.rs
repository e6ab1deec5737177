//! A subscription while the broker runs: its state machine, and what of it must be persisted.

use std::{
    collections::BTreeSet,
    ops::Range,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Confirm, Inner, Topic, attachment::Outboxes, persist::Reserving, queue::QueueDeclaration,
    snapshots::Snapshots, tally::Share,
};
use crate::{
    cursor::Cursor,
    dispatcher::{Counts, Dispatcher, Grant, OwnerId, Receipt, Settle},
    disuse::Disuse,
    driver::Settlement,
    error::{Error, ErrorKind, Result},
    id::{CursorId, Millis, Offset, PartitionId, SubscriptionId},
    store::{CommitSeq, Durability},
};

/// How a subscription is consumed; fixed when it is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Clients move the floor (Kafka groups, replay).
    Positional,
    /// Work sharing: each message is settled by itself.
    Lease,
    /// Lease, and one key is in flight at one consumer only. Not implemented yet: refused.
    Keyed,
}

/// A named cursor on every partition of a topic.
pub struct Subscription {
    pub(super) id: SubscriptionId,
    pub(super) name: Arc<str>,
    pub(super) mode: Mode,
    pub(super) topic: Weak<Topic>,
    pub(super) broker: Weak<Inner>,
    pub(super) queue: Option<QueueDeclaration>,
    pub(super) state: Mutex<State>,
    held: Mutex<Vec<Held>>,
    share: Share,
    pub(super) wake: Arc<Notify>,
    pub(super) gone: CancellationToken,
}

pub(super) struct State {
    pub(super) dispatcher: Dispatcher,
    pub(super) outboxes: Outboxes,
    pub(super) pumping: bool,
    /// What consumers are to be given next, before the dispatcher is asked for more.
    pub(super) granted: Vec<Grant>,
    pub(super) had_consumers: bool,
    pub(super) rejected: u64,
    pub(super) expired: u64,
    /// Of a queue that goes when it is unused.
    pub(super) disuse: Option<Disuse>,
    lost: u64,
    pub(super) snapshots: Vec<Snapshots>,
    /// Partitions with changes that the store refused. They are in memory: the next commit makes up
    /// for them.
    pub(super) refused: BTreeSet<PartitionId>,
    pub(super) reserving: Reserving,
    /// Nothing of it is persisted any more.
    pub(super) deleted: bool,
}

/// What a subscription keeps from being trimmed on a partition.
#[derive(Debug, Clone, Copy)]
struct Held {
    from: Option<Offset>,
    /// Rises with every change of the cursor.
    version: u64,
}

impl Subscription {
    pub(super) fn new(
        id: SubscriptionId,
        name: &str,
        mode: Mode,
        (topic, broker): (&Arc<Topic>, &Arc<Inner>),
        queue: Option<QueueDeclaration>,
        cursors: Vec<Cursor>,
    ) -> Arc<Self> {
        let snapshots = vec![Snapshots::default(); cursors.len()];
        let held = cursors
            .iter()
            .map(|cursor| Held {
                from: held_from(mode, cursor),
                version: 0,
            })
            .collect();
        let mut dispatcher = Dispatcher::new(cursors);
        for (index, partition) in topic.partitions.read().iter().enumerate() {
            dispatcher.advance(PartitionId(index as u32), partition.leasable());
        }
        let unused_for = queue.as_ref().and_then(|queue| queue.unused_for);
        let disuse = unused_for.map(|after| Disuse::new(after, Instant::now()));
        Arc::new(Self {
            id,
            name: name.into(),
            mode,
            topic: Arc::downgrade(topic),
            broker: Arc::downgrade(broker),
            share: broker.cursors.share(snapshots.len()),
            queue,
            state: Mutex::new(State {
                dispatcher,
                outboxes: Outboxes::default(),
                pumping: false,
                granted: Vec::new(),
                had_consumers: false,
                rejected: 0,
                expired: 0,
                disuse,
                lost: 0,
                snapshots,
                refused: BTreeSet::new(),
                reserving: Reserving::default(),
                deleted: false,
            }),
            held: Mutex::new(held),
            wake: Arc::new(Notify::new()),
            gone: CancellationToken::new(),
        })
    }

    /// Its name; `queue` for the queue of the topic.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// How it is consumed.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The topic that it is on; an error once that is gone.
    ///
    /// # Errors
    /// `NotFound` where the topic was deleted.
    pub fn topic(&self) -> Result<Arc<Topic>> {
        self.topic.upgrade().ok_or_else(gone)
    }

    /// Numbers of messages and consumers.
    pub fn counts(&self) -> Counts {
        self.state.lock().dispatcher.counts()
    }

    /// Messages rejected for it so far, since the broker started.
    pub fn rejected(&self) -> u64 {
        self.state.lock().rejected
    }

    /// Messages that retention by time or size took before they were settled, since the broker
    /// started: offsets, so that what is no message counts too.
    pub fn lost(&self) -> u64 {
        self.state.lock().lost
    }

    /// The floor of a partition: everything below is settled.
    pub fn floor(&self, partition: PartitionId) -> Option<Offset> {
        let state = self.state.lock();
        state.dispatcher.cursor(partition).map(Cursor::floor)
    }

    /// Settles deliveries. The confirm resolves once that is on disk; a receipt whose lease had
    /// ended before changes nothing and is counted out: see [`Subscription::settle_each`].
    ///
    /// # Errors
    /// As the store's: then nothing is promised, and what was settled may come back.
    pub fn settle(&self, settlements: Vec<(Receipt, Settlement)>) -> Result<Confirm> {
        self.settle_each(settlements).map(|(_, confirm)| confirm)
    }

    /// Settles deliveries, and tells for each whether its lease still held.
    ///
    /// # Errors
    /// As [`Subscription::settle`].
    pub fn settle_each(
        &self,
        settlements: Vec<(Receipt, Settlement)>,
    ) -> Result<(Vec<bool>, Confirm)> {
        let now = Millis::steady();
        let mut state = self.state.lock();
        let held = settlements.into_iter().map(|(receipt, settlement)| {
            if matches!(settlement, Settlement::Reject { .. }) {
                state.rejected += 1;
            }
            state.dispatcher.settle(receipt, verb(settlement, now))
        });
        let held = held.collect();
        let seq = self.persist(&mut state)?;
        drop(state);
        self.wake.notify_one();
        Ok((held, self.confirm(seq)))
    }

    /// Releases everything that `owner` holds: its channel or stream is gone.
    pub fn release_owner(&self, owner: OwnerId) {
        let mut state = self.state.lock();
        if state.dispatcher.release_owner(owner) > 0 {
            self.persist_later(&mut state);
            drop(state);
            self.wake.notify_one();
        }
    }

    /// Settles everything that waits; returns how many messages that were.
    ///
    /// # Errors
    /// As the store's.
    pub async fn purge(&self) -> Result<u64> {
        let (purged, seq) = {
            let mut state = self.state.lock();
            let purged = state.dispatcher.purge();
            (purged, self.persist(&mut state)?)
        };
        self.confirm(seq).await?;
        Ok(purged)
    }

    /// Moves a partition's floor; what was settled at or beyond it is not any more. Leases end.
    ///
    /// # Errors
    /// As the store's.
    pub async fn seek(&self, partition: PartitionId, to: Offset) -> Result<()> {
        let seq = {
            let mut state = self.state.lock();
            state.dispatcher.seek(partition, to);
            self.persist(&mut state)?
        };
        self.wake.notify_one();
        self.confirm(seq).await
    }

    pub(super) fn advance(&self, partition: PartitionId, end: Offset) {
        if self.mode == Mode::Positional {
            return;
        }
        self.state.lock().dispatcher.advance(partition, end);
        self.wake.notify_one();
    }

    pub(super) fn reserved(&self, partition: PartitionId, horizon: Offset) {
        self.state.lock().dispatcher.reserved(partition, horizon);
        self.wake.notify_one();
    }

    /// Settles what is no message, or is gone from the log; what is settled costs nothing.
    pub(super) fn vanish(&self, partition: PartitionId, range: Range<Offset>) {
        let mut state = self.state.lock();
        let cursor = state.dispatcher.cursor(partition);
        if cursor.is_none_or(|cursor| cursor.next_unsettled(range.start) >= range.end) {
            return;
        }
        state.dispatcher.vanish(partition, range);
        self.persist_later(&mut state);
    }

    /// Retention took what is below: floors move there. What was not settled is counted and told.
    pub(super) fn lose_below(&self, partition: PartitionId, below: Offset) {
        let broker = self.broker.upgrade();
        let _turn = self.commit_turn(broker.as_deref());
        let mut state = self.state.lock();
        let held = state.dispatcher.cursor(partition);
        let held = held.filter(|cursor| held_from(self.mode, cursor).is_some());
        let Some(floor) = held.map(Cursor::floor).filter(|floor| *floor < below) else {
            return;
        };
        let settled = held.map_or(0, |cursor| cursor.settled_in(floor..below));
        let lost = below.0 - floor.0 - settled;
        state.lost += lost;
        state.dispatcher.vanish(partition, floor..below);
        self.persist_later(&mut state);
        drop(state);
        self.wake.notify_one();
        tracing::warn!(
            subscription = %self.name, %partition, %below, up_to = lost,
            "retention took messages that were not settled"
        );
    }

    /// Settled ranges of a partition; see [`Cursor::settled_stretches`].
    pub(super) fn settled_stretches(
        &self,
        partition: PartitionId,
        least: u64,
        edge: Offset,
    ) -> Vec<Range<Offset>> {
        let state = self.state.lock();
        let cursor = state.dispatcher.cursor(partition);
        cursor.map_or_else(Vec::new, |cursor| cursor.settled_stretches(least, edge))
    }

    /// Offsets of a partition that somebody holds.
    pub(super) fn leased_in(&self, partition: PartitionId, range: &Range<Offset>) -> Vec<Offset> {
        self.state.lock().dispatcher.leased_in(partition, range)
    }

    pub(super) fn add_partition(&self, cursor: Cursor) {
        let mut state = self.state.lock();
        let from = held_from(self.mode, &cursor);
        self.held.lock().push(Held { from, version: 0 });
        self.share.add(1);
        state.dispatcher.add_partition(cursor);
        state.snapshots.push(Snapshots::default());
    }

    /// The first offset that it keeps from being trimmed under `settled` retention; `None` where it
    /// holds nothing, as a positional group does before its first commit.
    pub(super) fn held(&self, partition: PartitionId) -> Option<Offset> {
        self.held.lock().get(partition.0 as usize)?.from
    }

    /// Another number after every change of the partition's cursor.
    pub(super) fn held_version(&self, partition: PartitionId) -> u64 {
        let held = self.held.lock();
        held.get(partition.0 as usize)
            .map_or(0, |held| held.version)
    }

    pub(super) fn update_held(&self, state: &State, partition: PartitionId) {
        let cursor = state.dispatcher.cursor(partition);
        let now = cursor.and_then(|cursor| held_from(self.mode, cursor));
        if let Some(held) = self.held.lock().get_mut(partition.0 as usize) {
            held.from = now;
            held.version += 1;
        }
    }

    pub(super) fn cursor_id(&self, partition: PartitionId) -> CursorId {
        CursorId {
            subscription: self.id,
            partition,
        }
    }

    pub(super) fn confirm(&self, seq: Option<CommitSeq>) -> Confirm {
        match (seq, self.topic.upgrade()) {
            (Some(seq), Some(topic)) => {
                Confirm::durable(topic.store.clone(), seq, Durability::Disk)
            }
            _ => Confirm::ready(),
        }
    }
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription")
            .field("name", &self.name)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

pub(super) fn gone() -> Error {
    Error::new(
        ErrorKind::NotFound,
        "use subscription",
        "its topic was deleted",
    )
}

fn held_from(mode: Mode, cursor: &Cursor) -> Option<Offset> {
    (mode != Mode::Positional || cursor.mark().is_some()).then(|| cursor.floor())
}

fn verb(settlement: Settlement, now: Millis) -> Settle {
    match settlement {
        Settlement::Ack | Settlement::Reject { .. } => Settle::Done,
        Settlement::Release { after } if after.is_zero() => Settle::Release { until: None },
        Settlement::Release { after } => Settle::Release {
            until: Some(now.after(after)),
        },
        Settlement::Extend { by } => Settle::Extend {
            until: now.after(by),
        },
    }
}
