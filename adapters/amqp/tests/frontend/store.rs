//! A store that does what disks do, when a test wants it.

use async_trait::async_trait;
use bytes::Bytes;
use standpipe_core::{
    entry::Entry,
    error::{Error, ErrorKind, Result},
    id::{CursorId, LogId, Millis, Offset},
    store::{
        AppendsRefused, Commit, CommitSeq, Durability, Keep, LogBounds, MemoryStore, Op, ReadLimit,
        Store, Submitted,
    },
};
use tokio::sync::watch;

#[derive(Debug, Default, PartialEq, Eq)]
enum Sync {
    #[default]
    Done,
    Waits,
    Fails,
}

/// A store whose disk is full, or syncs nothing, while a test says so.
#[derive(Default)]
pub(crate) struct Gated {
    inner: MemoryStore,
    full: watch::Sender<Option<Error>>,
    sync: watch::Sender<Sync>,
}

impl Gated {
    pub(crate) fn fill(&self) {
        let full = Error::new(ErrorKind::Throttled, "append", "the disk is full");
        self.full.send_replace(Some(full));
    }

    pub(crate) fn empty(&self) {
        self.full.send_replace(None);
    }

    /// Nothing becomes durable until [`Gated::release`].
    pub(crate) fn hold(&self) {
        self.sync.send_replace(Sync::Waits);
    }

    pub(crate) fn release(&self) {
        self.sync.send_replace(Sync::Done);
    }

    /// What waits to be durable, and all that follows, never is.
    pub(crate) fn lose(&self) {
        self.sync.send_replace(Sync::Fails);
    }
}

#[async_trait]
impl Store for Gated {
    fn submit(&self, commit: Commit) -> Result<Submitted> {
        let full = self.full.borrow().clone();
        match full.filter(|_| commit.ops.iter().any(|op| matches!(op, Op::Append { .. }))) {
            Some(full) => Err(full),
            None => self.inner.submit(commit),
        }
    }

    fn appends_refused(&self) -> AppendsRefused {
        self.full.subscribe().into()
    }

    async fn durable(&self, seq: CommitSeq, level: Durability) -> Result<()> {
        let mut sync = self.sync.subscribe();
        // The sender is ours: it is there as long as this call.
        let _ = sync.wait_for(|sync| *sync != Sync::Waits).await;
        if *sync.borrow() == Sync::Fails {
            return Err(Error::new(ErrorKind::Unknown, "sync", "the disk is gone"));
        }
        self.inner.durable(seq, level).await
    }

    async fn read(&self, log: LogId, from: Offset, limit: ReadLimit) -> Result<Vec<Entry>> {
        self.inner.read(log, from, limit).await
    }

    async fn bounds(&self, log: LogId) -> Result<LogBounds> {
        self.inner.bounds(log).await
    }

    async fn trim_point(&self, log: LogId, keep: Keep) -> Result<Offset> {
        self.inner.trim_point(log, keep).await
    }

    async fn entry_for_time(&self, log: LogId, at: Millis) -> Result<Option<Entry>> {
        self.inner.entry_for_time(log, at).await
    }

    async fn get(&self, key: Bytes) -> Result<Option<Bytes>> {
        self.inner.get(key).await
    }

    async fn scan(&self, prefix: Bytes) -> Result<Vec<(Bytes, Bytes)>> {
        self.inner.scan(prefix).await
    }

    async fn cursor(&self, cursor: CursorId) -> Result<Vec<Bytes>> {
        self.inner.cursor(cursor).await
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}
