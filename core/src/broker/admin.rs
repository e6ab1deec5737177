//! Administration: declares and deletes, one at a time, on disk before they are answered.

use tokio::sync::MutexGuard;

use super::Broker;
use crate::{
    error::Result,
    store::{Commit, Durability, Op},
};

impl Broker {
    /// The turn of a declare or delete. What the store refused of earlier ones comes first: it is done
    /// in memory, and what is asked next is answered by what is there.
    ///
    /// # Errors
    /// The store's, while it refuses that still.
    pub(super) async fn admin(&self) -> Result<MutexGuard<'_, ()>> {
        let turn = self.inner.admin.lock().await;
        self.commit_done(Vec::new()).await?;
        Ok(turn)
    }

    /// Commits to the durable store what comes about only then, and waits until it is on disk; nothing
    /// for nothing.
    pub(super) async fn commit_admin(&self, ops: Vec<Op>) -> Result<()> {
        if ops.is_empty() {
            return Ok(());
        }
        let store = &self.inner.store;
        let submitted = store.submit(Commit {
            ops,
            durability: Durability::Disk,
            epoch: self.inner.epoch,
        })?;
        store.durable(submitted.seq, Durability::Disk).await
    }

    /// Commits what is done in memory already. Where the store refuses, or nobody waits for it any more,
    /// it is owed to it: done once more, each of these comes to the same. In an admin's turn only.
    pub(super) async fn commit_done(&self, ops: Vec<Op>) -> Result<()> {
        let owed = {
            let mut owed = self.inner.owed.lock();
            owed.extend(ops);
            owed.clone()
        };
        self.commit_admin(owed).await?;
        self.inner.owed.lock().clear();
        Ok(())
    }
}
