//! A store that does what disks do, when a test wants it.

use async_trait::async_trait;
use standpipe_core::{
    error::{Error, ErrorKind, Result},
    store::{
        AppendsRefused, Commit, CommitSeq, Durability, Layered, MemoryStore, Op, Store, StoreLayer,
        Submitted,
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
pub(crate) type Gated = Layered<Gate>;

#[derive(Default)]
pub(crate) struct Gate {
    inner: MemoryStore,
    full: watch::Sender<Option<Error>>,
    sync: watch::Sender<Sync>,
}

impl Gate {
    pub(crate) fn fill(&self) {
        let full = Error::new(ErrorKind::Throttled, "append", "the disk is full");
        self.full.send_replace(Some(full));
    }

    pub(crate) fn empty(&self) {
        self.full.send_replace(None);
    }

    /// Nothing becomes durable until [`Gate::release`].
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
impl StoreLayer for Gate {
    fn inner(&self) -> &dyn Store {
        &self.inner
    }

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
}
