//! A partition while the broker runs: its ends, and who waits for them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{expiring::Expiring, janitor::Space};
use crate::{
    compaction::Progress,
    id::{LogId, Offset},
    producer::Producers,
};

/// `start <= stable <= leasable <= end`.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) log: LogId,
    pub(super) changed: Notify,
    /// Locked while an entry takes its place: its holder knows the offset that comes next.
    pub(super) tail: Mutex<Producers>,
    /// The topic is deleted. Set with the tail locked: what would be appended behind that would bring
    /// the log back.
    closed: AtomicBool,
    /// The store refused to let go of what is below `start`.
    owes_trim: AtomicBool,
    pub(super) space: Mutex<Space>,
    /// Of a topic that lives in memory.
    pub(super) expiring: Mutex<Expiring>,
    /// How far it is compacted; `None` before the first round.
    pub(super) compacted: Mutex<Option<Progress>>,
    start: AtomicU64,
    stable: AtomicU64,
    leasable: AtomicU64,
    end: AtomicU64,
}

impl Partition {
    pub(super) fn new(log: LogId, start: Offset, end: Offset, producers: Producers) -> Self {
        Self {
            log,
            changed: Notify::new(),
            tail: Mutex::new(producers),
            closed: AtomicBool::new(false),
            owes_trim: AtomicBool::new(false),
            space: Mutex::default(),
            expiring: Mutex::default(),
            compacted: Mutex::default(),
            start: AtomicU64::new(start.0),
            stable: AtomicU64::new(end.0),
            leasable: AtomicU64::new(end.0),
            end: AtomicU64::new(end.0),
        }
    }

    /// Takes nothing any more; tells whom it remembered.
    pub(super) fn close(&self) -> Vec<i64> {
        let mut producers = self.tail.lock();
        self.closed.store(true, Ordering::Release);
        producers.take_ids()
    }

    /// Whether its topic is deleted; the caller holds the tail.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(super) fn start(&self) -> Offset {
        Offset(self.start.load(Ordering::Acquire))
    }

    pub(super) fn stable(&self) -> Offset {
        Offset(self.stable.load(Ordering::Acquire))
    }

    pub(super) fn leasable(&self) -> Offset {
        Offset(self.leasable.load(Ordering::Acquire))
    }

    pub(super) fn end(&self) -> Offset {
        Offset(self.end.load(Ordering::Acquire))
    }

    pub(super) fn extend(&self, end: Offset) {
        self.end.fetch_max(end.0, Ordering::AcqRel);
    }

    pub(super) fn lease_up_to(&self, end: Offset) {
        self.leasable.fetch_max(end.0, Ordering::AcqRel);
    }

    pub(super) fn stabilize(&self, end: Offset) {
        self.lease_up_to(end);
        self.stable.fetch_max(end.0, Ordering::AcqRel);
        self.changed.notify_waiters();
    }

    pub(super) fn trim(&self, start: Offset) {
        self.start.fetch_max(start.0, Ordering::AcqRel);
    }

    /// A trim may not have reached the store: the next one is worth it however small it is.
    pub(super) fn owe_trim(&self) {
        self.owes_trim.store(true, Ordering::Release);
    }

    /// Whether one is owed, which it is no longer.
    pub(super) fn take_owed_trim(&self) -> bool {
        self.owes_trim.swap(false, Ordering::AcqRel)
    }
}
