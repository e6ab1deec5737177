//! A store that refuses, or keeps whoever waits for the disk waiting, as long as a test says so.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use tokio::sync::Semaphore;

use super::*;
use crate::{
    error::{Error, ErrorKind, Result},
    store::{CommitSeq, Layered, Store, StoreLayer, Submitted},
};

pub(super) struct Moody {
    store: MemoryStore,
    refuses: AtomicBool,
    disk: Semaphore,
}

pub(super) type Refusing = Arc<Layered<Moody>>;

impl Default for Moody {
    fn default() -> Self {
        Self {
            store: MemoryStore::default(),
            refuses: AtomicBool::new(false),
            disk: Semaphore::new(1),
        }
    }
}

impl Moody {
    pub(super) fn refuse(&self, refuses: bool) {
        self.refuses.store(refuses, Ordering::SeqCst);
    }

    /// As long as the guard lives, nothing is told to be on disk.
    pub(super) async fn hold_disk(&self) -> impl Drop + '_ {
        self.disk.acquire().await.unwrap()
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
        if level == Durability::Disk {
            drop(self.disk.acquire().await.unwrap());
        }
        self.store.durable(seq, level).await
    }
}

pub(super) async fn broker_on(store: &Refusing) -> Broker {
    let opened = Broker::open(store.clone(), Codecs::default(), Options::default());
    opened.await.unwrap()
}
