//! A store that fails is opened again, and the same listeners are served from it.
#![cfg(feature = "native")]
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on must say where"
)]

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use standpipe::{
    Error, ErrorKind, Result, Server,
    config::Endpoint,
    server::{Protocol, ServerBuilder},
};
use standpipe_core::{
    id::{Offset, PartitionId},
    message::Message,
    store::{Commit, CommitSeq, Durability, Layered, MemoryStore, Store, StoreLayer, Submitted},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A store whose syncs fail once it is told to, as one on a disk does: nothing that waits for a
/// sync then is confirmed, nothing more is taken, and only another in its place goes on.
struct Failing {
    inner: Arc<MemoryStore>,
    failed: watch::Receiver<bool>,
}

impl Failing {
    fn error() -> Error {
        Error::new(ErrorKind::Unknown, "sync journal", "the disk is gone")
    }

    fn check(&self) -> Result<()> {
        if *self.failed.borrow() {
            return Err(Self::error());
        }
        Ok(())
    }
}

#[async_trait]
impl StoreLayer for Failing {
    fn inner(&self) -> &dyn Store {
        &*self.inner
    }

    fn submit(&self, commit: Commit) -> Result<Submitted> {
        self.check()?;
        self.inner.submit(commit)
    }

    async fn durable(&self, seq: CommitSeq, level: Durability) -> Result<()> {
        self.check()?;
        self.inner.durable(seq, level).await
    }

    async fn failed(&self) -> Error {
        let mut failed = self.failed.clone();
        failed.wait_for(|failed| *failed).await.unwrap();
        Self::error()
    }

    async fn close(&self) -> Result<()> {
        self.check()
    }
}

/// How often the store was opened, and what makes the one that is open fail.
#[derive(Default)]
struct Disk {
    inner: Arc<MemoryStore>,
    opened: AtomicUsize,
    fails: parking_lot::Mutex<Option<watch::Sender<bool>>>,
}

impl Disk {
    fn open(&self) -> Arc<dyn Store> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        let (sender, failed) = watch::channel(false);
        *self.fails.lock() = Some(sender);
        let inner = self.inner.clone();
        Arc::new(Layered(Failing { inner, failed }))
    }

    fn fail(&self) {
        self.fails.lock().as_ref().unwrap().send_replace(true);
    }
}

fn over(disk: &Arc<Disk>) -> ServerBuilder {
    let disk = disk.clone();
    let open = move || {
        let disk = disk.clone();
        async move { Ok(disk.open()) }
    };
    Server::builder()
        .listen(Protocol::Native, Endpoint::loopback(0))
        .store(open)
}

/// Whether the message was confirmed.
async fn publish(address: &str, payload: &'static str) -> bool {
    let registry = standpipe::registry();
    let address = registry.address(address).unwrap();
    let driver = registry.driver(&address).unwrap();
    let Ok(mut producer) = driver.producer(&address).await else {
        return false;
    };
    let sent = producer.send(vec![Message::new(payload)]).await;
    sent.iter().all(Result::is_ok)
}

#[tokio::test]
async fn a_server_goes_on_at_the_same_address_after_its_store_failed() {
    let disk = Arc::new(Disk::default());
    let mut server = over(&disk).start().await.unwrap();
    let native = server.address(Protocol::Native).unwrap();
    let address = format!("standpipe://{native}/orders");
    let stop = CancellationToken::new();
    let ends = stop.clone();
    let running = tokio::spawn(async move {
        let ended = server.run(&ends).await;
        (server, ended)
    });
    assert!(publish(&address, "before").await);
    disk.fail();
    // The listener stays: a connection that comes too early is cut, and the next one waits.
    while !publish(&address, "after").await {}
    assert_eq!(disk.opened.load(Ordering::SeqCst), 2);
    stop.cancel();
    let (server, ended) = running.await.unwrap();
    ended.unwrap();
    let topic = server.broker().topic("/", "orders").unwrap();
    assert!(topic.bounds(PartitionId(0)).unwrap().end >= Offset(2));
    server.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_again_and_again_ends_the_server() {
    let disk = Arc::new(Disk::default());
    let opener = disk.clone();
    let open = move || {
        let disk = opener.clone();
        async move {
            match disk.opened.load(Ordering::SeqCst) {
                0 => Ok(disk.open()),
                _ => Err(Failing::error()),
            }
        }
    };
    let mut server = Server::builder().store(open).start().await.unwrap();
    disk.fail();
    let error = server.run(&CancellationToken::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permanent);
    assert!(error.message().contains("the disk is gone"), "{error}");
    assert!(error.message().contains("5 times"), "{error}");
}
