//! How far the journal is written and synced, for those who wait.

use std::sync::Arc;

use parking_lot::RwLock;
use standpipe_core::{
    error::{Error, Result},
    store::Watermark,
};

/// A mark whose waiters can be failed while later ones wait on.
#[derive(Debug)]
pub(crate) struct Mark(RwLock<Arc<Watermark>>);

impl Mark {
    pub(crate) fn new(reached: u64) -> Self {
        Self(RwLock::new(Arc::new(Watermark::new(reached))))
    }

    fn current(&self) -> Arc<Watermark> {
        self.0.read().clone()
    }

    pub(crate) fn reached(&self) -> u64 {
        self.0.read().reached()
    }

    pub(crate) fn advance(&self, to: u64) {
        self.0.read().advance(to);
    }

    /// Fails all who wait now; what comes later may still get there.
    pub(crate) fn fail_waiting(&self, error: Error) {
        let failed = {
            let mut current = self.0.write();
            let fresh = Arc::new(Watermark::new(current.reached()));
            std::mem::replace(&mut *current, fresh)
        };
        failed.fail(error);
    }

    /// Fails all who wait, now and from now on.
    pub(crate) fn fail(&self, error: Error) {
        self.0.read().fail(error);
    }

    /// Waits until the mark is at `seq`. Cancel-safe.
    pub(crate) async fn wait(&self, seq: u64) -> Result<()> {
        self.current().wait(seq).await
    }
}
