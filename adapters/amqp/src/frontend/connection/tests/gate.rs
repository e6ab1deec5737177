//! A store that takes no settlements, or syncs nothing, while a test says so.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use standpipe_core::{
    Error, ErrorKind, Result,
    store::{Commit, CommitSeq, Durability, MemoryStore, Op, Store, StoreLayer, Submitted},
};
use tokio::sync::watch;

#[derive(Default)]
pub(super) struct Gate {
    inner: MemoryStore,
    refuses: AtomicBool,
    holds: watch::Sender<bool>,
}

impl Gate {
    /// Changes of cursors are refused from now on.
    pub(super) fn refuse_settlements(&self) {
        self.refuses.store(true, Ordering::SeqCst);
    }

    /// Nothing becomes durable from now on.
    pub(super) fn hold(&self) {
        self.holds.send_replace(true);
    }
}

#[async_trait]
impl StoreLayer for Gate {
    fn inner(&self) -> &dyn Store {
        &self.inner
    }

    fn submit(&self, commit: Commit) -> Result<Submitted> {
        let settles = commit.ops.iter().any(|op| matches!(op, Op::Cursor { .. }));
        if settles && self.refuses.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Throttled, "commit", "not now"));
        }
        self.inner.submit(commit)
    }

    async fn durable(&self, seq: CommitSeq, level: Durability) -> Result<()> {
        let mut holds = self.holds.subscribe();
        // The sender is ours: it is there as long as this call.
        let _ = holds.wait_for(|holds| !holds).await;
        self.inner.durable(seq, level).await
    }
}
