//! The store contract, over the native store, core's memory store, and one that several share.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use async_trait::async_trait;
use futures::future::BoxFuture;
use standpipe_conformance::store::{self, Lasting};
use standpipe_core::{
    entry::Entry,
    error::{Error, ErrorKind, Result},
    id::{LogId, Offset},
    store::{
        Commit, CommitSeq, Durability, Layered, MemoryStore, ReadLimit, Store, StoreLayer,
        Submitted,
    },
};
use standpipe_native::store::{NativeStore, StoreOptions};
use tokio::task::yield_now;

fn opened(store: Arc<dyn Store>) -> BoxFuture<'static, Arc<dyn Store>> {
    Box::pin(std::future::ready(store))
}

#[tokio::test]
async fn the_native_store_keeps_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_owned();
    let open = move || opened(NativeStore::open(&path, StoreOptions::default()).unwrap());
    for _ in 0..2 {
        store::all(&open, Lasting::Durable).await;
    }
}

#[tokio::test]
async fn the_memory_store_keeps_the_contract() {
    let open = || opened(Arc::new(MemoryStore::new()));
    store::all(&open, Lasting::Volatile).await;
}

/// One process's handle on a store that is elsewhere, is slow, and outlives it.
struct Handle {
    store: Arc<MemoryStore>,
    incarnation: u32,
    closed: AtomicBool,
}

#[async_trait]
impl StoreLayer for Handle {
    fn inner(&self) -> &dyn Store {
        &*self.store
    }

    fn submit(&self, commit: Commit) -> Result<Submitted> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Closed, "commit", "it is closed"));
        }
        let mut submitted = self.store.submit(commit)?;
        for placed in &mut submitted.placed {
            placed.leader_epoch = self.incarnation;
        }
        Ok(submitted)
    }

    async fn durable(&self, seq: CommitSeq, level: Durability) -> Result<()> {
        for _ in 0..10 {
            yield_now().await;
        }
        self.store.durable(seq, level).await
    }

    async fn read(&self, log: LogId, from: Offset, limit: ReadLimit) -> Result<Vec<Entry>> {
        yield_now().await;
        self.store.read(log, from, limit).await
    }

    async fn close(&self) -> Result<()> {
        self.closed.store(true, Ordering::Relaxed);
        Ok(())
    }
}

#[tokio::test]
async fn a_slow_store_that_several_share_keeps_the_contract() {
    let (store, incarnations) = (Arc::new(MemoryStore::new()), AtomicU32::new(0));
    let open = move || {
        let handle = Handle {
            store: store.clone(),
            incarnation: incarnations.fetch_add(1, Ordering::Relaxed),
            closed: AtomicBool::new(false),
        };
        opened(Arc::new(Layered(handle)))
    };
    for _ in 0..2 {
        store::all(&open, Lasting::Shared).await;
    }
}
