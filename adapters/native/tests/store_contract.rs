//! The store contract, over the native store and over core's memory store.

use std::sync::Arc;

use standpipe_conformance::store::{self, Lasting};
use standpipe_core::store::{MemoryStore, Store};
use standpipe_native::store::{NativeStore, StoreOptions};

#[tokio::test]
async fn the_native_store_keeps_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_owned();
    let open = move || {
        let store = NativeStore::open(&path, StoreOptions::default()).unwrap();
        let opened: Arc<dyn Store> = store;
        Box::pin(std::future::ready(opened)) as futures::future::BoxFuture<'static, _>
    };
    store::all(&open, Lasting::Durable).await;
}

#[tokio::test]
async fn the_memory_store_keeps_the_contract() {
    let open = || {
        let opened: Arc<dyn Store> = Arc::new(MemoryStore::new());
        Box::pin(std::future::ready(opened)) as futures::future::BoxFuture<'static, _>
    };
    store::all(&open, Lasting::Volatile).await;
}
