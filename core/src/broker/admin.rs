//! Administration: declares and deletes, one at a time, on disk before they are answered.

use tokio::sync::OwnedMutexGuard;

use super::Broker;
use crate::{
    error::{Error, ErrorKind, Result},
    store::{Commit, Durability, Op},
};

/// The one turn that there is.
pub(super) type Turn = OwnedMutexGuard<()>;

impl Broker {
    /// The turn of a declare or delete. What the store refused of earlier ones comes first: it is done
    /// in memory, and what is asked next is answered by what is there.
    ///
    /// # Errors
    /// The store's, while it refuses that still.
    pub(super) async fn admin(&self) -> Result<Turn> {
        let turn = self.turn().await;
        self.commit_done(Vec::new()).await?;
        Ok(turn)
    }

    /// Likewise, of what must not fail with what came before.
    pub(super) async fn turn(&self) -> Turn {
        self.inner.admin.clone().lock_owned().await
    }

    /// Commits to the durable store what comes about only then, and lets it come about. Goes on where
    /// nobody waits for it any more, within its turn: memory has what the store has.
    ///
    /// # Errors
    /// The store's: then nothing has come about.
    pub(super) async fn bring_about<T: Send + 'static>(
        &self,
        turn: Turn,
        ops: Vec<Op>,
        effect: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let broker = self.clone();
        let work = async move {
            let _turn = turn;
            broker.commit_admin(ops).await?;
            Ok(effect())
        };
        tokio::spawn(work).await.unwrap_or_else(|error| {
            let message = "it was given up while it was on its way";
            Err(Error::new(ErrorKind::Unknown, "administer", message).with_source(error))
        })
    }

    /// Commits to the durable store and waits until it is on disk; nothing for nothing.
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
