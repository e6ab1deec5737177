//! Ends as they are opened, and lost.

use std::{future::pending, sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    all, fail_once,
    fake::{FakeDestination, FakeSource, numbered},
    pipe, refuse, run,
};
use crate::{
    address::Address,
    driver::{
        Admin, Capabilities, Consumer, Driver, OpenOptions, Producer, Registry, Seeking, Settler,
    },
    error::{Error, ErrorKind, Result},
    message::Message,
    pipe::{Destination, OnRefused, Pipe, Source, Summary},
};

/// A system whose sources have positions, and whose addresses name no group.
struct Positional(FakeSource);

#[async_trait]
impl Driver for Positional {
    fn scheme(&self) -> &'static str {
        "positional"
    }
    fn options(&self) -> &'static [&'static str] {
        &[]
    }
    fn capabilities(&self, _: &Address) -> Capabilities {
        let mut capabilities = Capabilities::NONE;
        capabilities.seeking = Seeking::OffsetsAndTimes;
        capabilities
    }
    async fn producer(&self, _: &Address) -> Result<Box<dyn Producer>> {
        Err(Error::new(ErrorKind::Unsupported, "open", "only read"))
    }
    async fn consumer(
        &self,
        _: &Address,
        _: &OpenOptions,
    ) -> Result<(Box<dyn Consumer>, Box<dyn Settler>)> {
        self.0.open().await
    }
    async fn admin(&self, _: &Address) -> Result<Box<dyn Admin>> {
        Err(Error::new(ErrorKind::Unsupported, "open", "only read"))
    }
    async fn probe(&self, _: &Address) -> Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_position_in_the_default_group_never_passes_what_was_refused() {
    let source = FakeSource::new(numbered(10, 1));
    let destination = FakeDestination::new(refuse(ErrorKind::TooLarge, 5));
    let mut registry = Registry::new();
    registry.register(Arc::new(Positional(source.clone())));
    let builder = Pipe::builder()
        .from_address(&registry, "positional://h/t")
        .unwrap()
        .to_destination(destination);
    let error = run(builder).await.unwrap_err();
    assert!(error.to_string().contains("5 is refused"), "{error}");
    assert_eq!(source.acked(), all(5));
}

/// Takes the connection and never answers.
struct Frozen;

#[async_trait]
impl Source for Frozen {
    async fn open(&self) -> Result<(Box<dyn Consumer>, Box<dyn Settler>)> {
        pending().await
    }
}

#[async_trait]
impl Destination for Frozen {
    async fn open(&self) -> Result<Box<dyn Producer>> {
        pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_a_pipe_whose_ends_never_open() {
    let source = FakeSource::new(numbered(1, 1));
    let destination = FakeDestination::new(|_, _| Ok(()));
    for builder in [
        pipe(&source, &destination).to_destination(Frozen),
        pipe(&source, &destination).from_source(Frozen),
    ] {
        let shutdown = CancellationToken::new();
        let running = builder.build().unwrap().run(shutdown.clone());
        let ended = tokio::time::timeout(Duration::from_secs(60), running);
        let (ended, ()) = tokio::join!(ended, async { shutdown.cancel() });
        assert_eq!(ended.unwrap().unwrap(), Summary::default());
    }
}

/// Takes a second for each batch.
#[derive(Clone)]
struct SlowDestination(FakeDestination);

#[async_trait]
impl Destination for SlowDestination {
    async fn open(&self) -> Result<Box<dyn Producer>> {
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl Producer for SlowDestination {
    async fn send(&mut self, batch: Vec<Message>) -> Vec<Result<()>> {
        tokio::time::sleep_until(Instant::now() + Duration::from_secs(1)).await;
        self.0.send(batch).await
    }
    async fn close(&mut self) -> Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_confirmed_when_the_source_is_gone_counts_as_a_duplicate() {
    let source = FakeSource::new(numbered(10, 1)).disconnects_after(10);
    let destination = FakeDestination::new(|_, _| Ok(()));
    let slow = SlowDestination(destination.clone());
    let builder = pipe(&source, &destination).to_destination(slow);
    let summary = run(builder).await.unwrap();
    let counts = (summary.sent, summary.moved, summary.duplicates);
    assert_eq!(counts, (20, 10, 10));
}

/// Opens once; then its address makes no sense any more.
struct OpensOnce(FakeDestination);

#[async_trait]
impl Destination for OpensOnce {
    async fn open(&self) -> Result<Box<dyn Producer>> {
        if self.0.opened() > 0 {
            return Err(Error::new(ErrorKind::Invalid, "open", "no password"));
        }
        self.0.open().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_cannot_be_opened_again_refuses_no_message() {
    let source = FakeSource::new(numbered(10, 1));
    let failing = fail_once(ErrorKind::Disconnected, 5);
    let destination = FakeDestination::new(failing).stops_at_failure();
    let builder = pipe(&source, &destination)
        .to_destination(OpensOnce(destination.clone()))
        .on_refused(OnRefused::Reject);
    let error = run(builder).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(error.to_string().contains("no password"), "{error}");
    assert_eq!(source.acked(), all(5));
    assert!((5..10).all(|n| source.settlement(n).is_none()));
}
