//! A store that refuses, fails, or keeps whoever waits for the disk waiting, as long as a test says so.

use std::{
    ops::Range,
    pin::Pin,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use async_trait::async_trait;
use futures::FutureExt;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::*;
use crate::{
    entry::Entry,
    error::{Error, ErrorKind, Result},
    id::LogId,
    store::{CommitSeq, Layered, ReadLimit, Store, StoreLayer, Submitted},
};

pub(super) struct Moody {
    store: MemoryStore,
    refuses: AtomicBool,
    fails: AtomicBool,
    disk: Semaphore,
    reads: Semaphore,
    damaged: Mutex<Option<LogId>>,
    failing: AtomicUsize,
    /// Offsets, and what is said of them.
    never: Mutex<(Range<u64>, Option<ErrorKind>)>,
    read: AtomicUsize,
}

pub(super) type Refusing = Arc<Layered<Moody>>;

impl Default for Moody {
    fn default() -> Self {
        Self {
            store: MemoryStore::default(),
            refuses: AtomicBool::new(false),
            fails: AtomicBool::new(false),
            disk: Semaphore::new(1),
            reads: Semaphore::new(1),
            damaged: Mutex::default(),
            failing: AtomicUsize::new(0),
            never: Mutex::default(),
            read: AtomicUsize::new(0),
        }
    }
}

impl Moody {
    pub(super) fn refuse(&self, refuses: bool) {
        self.refuses.store(refuses, Ordering::SeqCst);
    }

    /// Whether what is submitted is told not to be on disk; it is there all the same.
    pub(super) fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::SeqCst);
    }

    /// As long as the guard lives, nothing is told to be on disk.
    pub(super) async fn hold_disk(&self) -> impl Drop + '_ {
        self.disk.acquire().await.unwrap()
    }

    /// What cannot be read from now on.
    pub(super) fn spoil(&self, log: Option<LogId>) {
        *self.damaged.lock() = log;
    }

    /// So many reads fail from now on, for no lasting reason.
    pub(super) fn fail_reads(&self, count: usize) {
        self.failing.store(count, Ordering::SeqCst);
    }

    /// Reads fail that come to these offsets.
    pub(super) fn fail_reads_of(&self, offsets: Range<u64>) {
        *self.never.lock() = (offsets, Some(ErrorKind::Transient));
    }

    /// The same, because they are damaged.
    pub(super) fn ruin(&self, offsets: Range<u64>) {
        *self.never.lock() = (offsets, Some(ErrorKind::Corrupt));
    }

    /// Reads so far.
    pub(super) fn reads(&self) -> usize {
        self.read.load(Ordering::SeqCst)
    }

    /// As long as the guard lives, nothing is read.
    pub(super) async fn hold_reads(&self) -> impl Drop + '_ {
        self.reads.acquire().await.unwrap()
    }
}

#[async_trait]
impl StoreLayer for Moody {
    fn inner(&self) -> &dyn Store {
        &self.store
    }

    fn submit(&self, commit: Commit) -> Result<Submitted> {
        if self.refuses.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Throttled, "commit", "not now"));
        }
        self.store.submit(commit)
    }

    async fn durable(&self, seq: CommitSeq, level: Durability) -> Result<()> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unknown, "write", "not now"));
        }
        if level == Durability::Disk {
            drop(self.disk.acquire().await.unwrap());
        }
        self.store.durable(seq, level).await
    }

    async fn read(&self, log: LogId, from: Offset, limit: ReadLimit) -> Result<Vec<Entry>> {
        drop(self.reads.acquire().await.unwrap());
        self.read.fetch_add(1, Ordering::SeqCst);
        let one_less = |left: usize| left.checked_sub(1);
        let failing = &self.failing;
        if failing
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less)
            .is_ok()
        {
            return Err(Error::new(ErrorKind::Transient, "read", "not now"));
        }
        if *self.damaged.lock() == Some(log) {
            return Err(Error::new(ErrorKind::Corrupt, "read", "damaged"));
        }
        let read = self.store.read(log, from, limit).await?;
        let (never, kind) = self.never.lock().clone();
        let is_among = |entry: &Entry| never.clone().any(|at| entry.covers(Offset(at)));
        match kind.filter(|_| read.iter().any(is_among)) {
            // As a store does: what is before is read.
            Some(ErrorKind::Corrupt) if !is_among(&read[0]) => Ok(read
                .into_iter()
                .take_while(|entry| !is_among(entry))
                .collect()),
            Some(kind) => Err(Error::new(kind, "read", "it cannot be read")),
            None => Ok(read),
        }
    }
}

pub(super) async fn broker_on(store: &Refusing) -> Broker {
    let opened = Broker::open(store.clone(), Codecs::default(), Options::default());
    opened.await.unwrap()
}

/// Gets as far as it can without the disk.
pub(super) async fn begin<T>(mut act: Pin<&mut impl Future<Output = T>>) {
    for _ in 0..10 {
        assert!(act.as_mut().now_or_never().is_none(), "it is held");
        tokio::task::yield_now().await;
    }
}
