//! A working driver, broken in one way: the test of the scenarios themselves.

use std::sync::Arc;

use async_trait::async_trait;
use standpipe_core::{
    Result,
    address::Address,
    driver::{
        Admin, Capabilities, Consumer, Driver, Incoming, OpenOptions, Producer, ReceiptToken,
        ReceiveLimit, Settlement, Settler,
    },
    id::Millis,
    message::{Headers, Message},
};

use super::{Ends, Subject};

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A batch of several has one result less.
    MissingResult,
    /// A batch is sent backwards.
    Reorders,
    /// Keys are dropped.
    DropsKeys,
    /// A tombstone becomes an empty payload.
    EmptiesTombstones,
    /// Payloads are forced to UTF-8.
    ForcesUtf8,
    /// Of headers of one name, the first stays.
    DropsDuplicateHeaders,
    /// Timestamps are cut to seconds.
    CutsTimestamps,
    /// Acks are forgotten.
    ForgetsAcks,
    /// What is received is acked at once.
    AcksOnReceive,
    /// A release is an ack.
    AcksReleases,
    /// A rejection is a release.
    ReleasesRejections,
    /// A drain goes on.
    NeverEnds,
    /// What was received while the caller gave up is gone.
    LosesOnCancel,
}

/// A subject whose driver is broken.
pub struct Broken<S> {
    /// The working one.
    pub subject: S,
    /// What is broken in it.
    pub fault: Fault,
}

#[async_trait]
impl<S: Subject> Subject for Broken<S> {
    fn driver(&self) -> Arc<dyn Driver> {
        Arc::new(BrokenDriver(self.subject.driver(), self.fault))
    }

    async fn fresh(&self) -> Ends {
        self.subject.fresh().await
    }
}

struct BrokenDriver(Arc<dyn Driver>, Fault);

#[async_trait]
impl Driver for BrokenDriver {
    fn scheme(&self) -> &'static str {
        self.0.scheme()
    }

    fn options(&self) -> &'static [&'static str] {
        self.0.options()
    }

    fn capabilities(&self, address: &Address) -> Capabilities {
        self.0.capabilities(address)
    }

    async fn producer(&self, address: &Address) -> Result<Box<dyn Producer>> {
        let inner = self.0.producer(address).await?;
        Ok(Box::new(BrokenProducer(inner, self.1)))
    }

    async fn consumer(
        &self,
        address: &Address,
        options: &OpenOptions,
    ) -> Result<(Box<dyn Consumer>, Box<dyn Settler>)> {
        let open = OpenOptions::default();
        let options = if self.1 == Fault::NeverEnds {
            &open
        } else {
            options
        };
        let (consumer, settler) = self.0.consumer(address, options).await?;
        let settler: Arc<dyn Settler> = settler.into();
        let consumer = BrokenConsumer(consumer, settler.clone(), self.1);
        Ok((Box::new(consumer), Box::new(BrokenSettler(settler, self.1))))
    }

    async fn admin(&self, address: &Address) -> Result<Box<dyn Admin>> {
        self.0.admin(address).await
    }

    async fn probe(&self, address: &Address) -> Result<()> {
        self.0.probe(address).await
    }
}

struct BrokenProducer(Box<dyn Producer>, Fault);

#[async_trait]
impl Producer for BrokenProducer {
    async fn send(&mut self, mut batch: Vec<Message>) -> Vec<Result<()>> {
        batch.iter_mut().for_each(|message| spoil(message, self.1));
        if self.1 == Fault::Reorders && batch.len() > 5 {
            batch.reverse();
        }
        let mut results = self.0.send(batch).await;
        if self.1 == Fault::MissingResult && results.len() == 5 {
            results.pop();
        }
        results
    }

    async fn close(&mut self) -> Result<()> {
        self.0.close().await
    }
}

fn spoil(message: &mut Message, fault: Fault) {
    match fault {
        Fault::DropsKeys if message.payload.as_deref() == Some(b"m") => message.key = None,
        Fault::EmptiesTombstones => {
            message.payload.get_or_insert_default();
        }
        Fault::ForcesUtf8 => {
            let lossy = |octets: bytes::Bytes| String::from_utf8_lossy(&octets).into_owned().into();
            message.payload = message.payload.take().map(lossy);
        }
        Fault::DropsDuplicateHeaders => {
            let mut first = Headers::default();
            for (name, value) in message.headers.clone() {
                if !first.iter().any(|(n, _)| *n == name) {
                    first.push(name, value);
                }
            }
            message.headers = first;
        }
        Fault::CutsTimestamps => {
            let cut = |at: Millis| Millis(at.0 / 1000 * 1000);
            message.props.timestamp = message.props.timestamp.map(cut);
        }
        _ => {}
    }
}

struct BrokenConsumer(Box<dyn Consumer>, Arc<dyn Settler>, Fault);

#[async_trait]
impl Consumer for BrokenConsumer {
    async fn receive(&mut self, limit: ReceiveLimit) -> Result<Option<Vec<Incoming>>> {
        let received = self.0.receive(limit).await?;
        if self.2 == Fault::LosesOnCancel {
            // Whoever drops the future here loses what was received.
            for _ in 0..8 {
                tokio::task::yield_now().await;
            }
        }
        if self.2 == Fault::AcksOnReceive
            && let Some(received) = received.as_deref().filter(|received| received.len() == 2)
        {
            let acks = received
                .iter()
                .map(|incoming| (incoming.receipt, Settlement::Ack));
            // Those of other scenarios are settled again and differently; this one's are not.
            self.1.settle(acks.collect()).await?;
        }
        Ok(received)
    }

    async fn close(&mut self) -> Result<()> {
        self.0.close().await
    }
}

struct BrokenSettler(Arc<dyn Settler>, Fault);

#[async_trait]
impl Settler for BrokenSettler {
    async fn settle(&self, settlements: Vec<(ReceiptToken, Settlement)>) -> Result<()> {
        let spoilt = settlements.into_iter().filter_map(|(token, settlement)| {
            let settlement = match (self.1, settlement) {
                (Fault::ForgetsAcks, Settlement::Ack) => return None,
                (Fault::AcksReleases, Settlement::Release { .. }) => Settlement::Ack,
                (Fault::ReleasesRejections, Settlement::Reject { .. }) => Settlement::RELEASE,
                (_, settlement) => settlement,
            };
            Some((token, settlement))
        });
        self.0.settle(spoilt.collect()).await
    }
}
