//! The reference: a driver over a broker in this process, on the memory store.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering as Atomic},
};

use async_trait::async_trait;
use parking_lot::Mutex;
use standpipe_core::{
    Error, ErrorKind, Result,
    address::Address,
    broker::{
        Admission, Attach, Attachment, Broker, Credit, DEFAULT_NAMESPACE, LaneId, Mode, Options,
        Publish, QUEUE, Subscription, Target,
    },
    codec::Codecs,
    dispatcher::{OwnerId, Receipt},
    driver::{
        Admin, Capabilities, Confirming, Consumer, Draining, Driver, Incoming, Lane, OpenOptions,
        Ordering, Producer, ReceiptToken, ReceiveLimit, Redelivery, Settlement, Settler, Settling,
        StartAt, Until,
    },
    id::{Offset, PartitionId},
    message::Message,
    native::NativeCodec,
    store::{Durability, MemoryStore},
};

use super::{Ends, Subject};

/// A broker in memory, as a subject.
pub struct MemorySubject {
    broker: Broker,
    places: AtomicU32,
}

impl MemorySubject {
    /// A subject with a broker of its own.
    ///
    /// # Errors
    /// As [`Broker::open`].
    pub async fn open() -> Result<Self> {
        let store = Arc::new(MemoryStore::new());
        let broker = Broker::open(store, Codecs::default(), Options::default()).await?;
        let places = AtomicU32::new(0);
        Ok(Self { broker, places })
    }
}

#[async_trait]
impl Subject for MemorySubject {
    fn driver(&self) -> Arc<dyn Driver> {
        Arc::new(MemoryDriver(self.broker.clone()))
    }

    async fn fresh(&self) -> Ends {
        let number = self.places.fetch_add(1, Atomic::Relaxed);
        let address: Address = format!("standpipe://127.0.0.1/place-{number}")
            .parse()
            .expect("it is an address");
        Ends {
            to: address.clone(),
            from: address,
        }
    }
}

struct MemoryDriver(Broker);

#[async_trait]
impl Driver for MemoryDriver {
    fn scheme(&self) -> &'static str {
        "standpipe"
    }

    fn options(&self) -> &'static [&'static str] {
        &[]
    }

    fn capabilities(&self, _address: &Address) -> Capabilities {
        let mut capabilities = Capabilities::NONE;
        capabilities.settling = Settling::PerMessage;
        capabilities.ordering = Ordering::Total;
        capabilities.redelivery = Redelivery::Counted;
        capabilities.draining = Draining::EndOffsets;
        capabilities.confirming = Confirming::Accepted;
        capabilities
    }

    async fn producer(&self, address: &Address) -> Result<Box<dyn Producer>> {
        let topic = address.topic()?.to_owned();
        self.0.ensure_topic(DEFAULT_NAMESPACE, &topic).await?;
        Ok(Box::new(MemoryProducer(self.0.clone(), topic)))
    }

    async fn consumer(
        &self,
        address: &Address,
        options: &OpenOptions,
    ) -> Result<(Box<dyn Consumer>, Box<dyn Settler>)> {
        let topic = self
            .0
            .ensure_topic(DEFAULT_NAMESPACE, address.topic()?)
            .await?;
        let open = self
            .0
            .ensure_subscription(&topic, QUEUE, Mode::Lease, StartAt::Earliest);
        let subscription = open.await?;
        let end = topic.bounds(PartitionId(0))?.stable;
        let owner = self.0.new_owner();
        let attach = Attach {
            owner,
            credit: Credit::unlimited(),
            exclusive: false,
            lease: None,
        };
        let receipts = Arc::new(Receipts::default());
        let consumer = MemoryConsumer {
            attachment: Some(self.0.attach(&subscription, attach)?),
            broker: self.0.clone(),
            subscription: subscription.clone(),
            owner,
            receipts: receipts.clone(),
            left: (options.until == Until::End).then_some(end),
            next: subscription.floor(PartitionId(0)).unwrap_or_default(),
        };
        Ok((
            Box::new(consumer),
            Box::new(MemorySettler(subscription, receipts)),
        ))
    }

    async fn admin(&self, _address: &Address) -> Result<Box<dyn Admin>> {
        let message = "the reference has nothing to administer";
        Err(Error::new(ErrorKind::Unsupported, "open admin", message))
    }

    async fn probe(&self, _address: &Address) -> Result<()> {
        Ok(())
    }
}

struct MemoryProducer(Broker, String);

#[async_trait]
impl Producer for MemoryProducer {
    async fn send(&mut self, batch: Vec<Message>) -> Vec<Result<()>> {
        let mut results = Vec::with_capacity(batch.len());
        for message in batch {
            let published = self.0.publish(Publish {
                namespace: DEFAULT_NAMESPACE,
                target: Target::Topic(&self.1),
                draft: NativeCodec::encode(&message),
                key: message.key.as_deref(),
                lane: LaneId(0),
                durability: Some(Durability::Disk),
                admission: Admission::none(),
            });
            results.push(match published {
                Ok(published) => published.confirm.wait().await,
                Err(error) => Err(error),
            });
        }
        results
    }

    async fn close(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Receipts by the number of their token.
#[derive(Default)]
struct Receipts(Mutex<Vec<Receipt>>);

struct MemoryConsumer {
    attachment: Option<Attachment>,
    broker: Broker,
    subscription: Arc<Subscription>,
    owner: OwnerId,
    receipts: Arc<Receipts>,
    left: Option<Offset>,
    next: Offset,
}

#[async_trait]
impl Consumer for MemoryConsumer {
    async fn receive(&mut self, limit: ReceiveLimit) -> Result<Option<Vec<Incoming>>> {
        if self.left.is_some_and(|end| self.next >= end) {
            return Ok(None);
        }
        let Some(attachment) = &mut self.attachment else {
            return Ok(None);
        };
        let received = attachment.recv(limit.messages.get()).await;
        let Some(deliveries) = received else {
            return Ok(None);
        };
        let mut incoming = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            let message = delivery.message(self.broker.codecs())?;
            self.next = self.next.max(delivery.offset().next());
            let mut receipts = self.receipts.0.lock();
            let number = receipts.len() as u64;
            receipts.push(delivery.receipt);
            incoming.push(Incoming {
                message,
                receipt: ReceiptToken {
                    lane: Lane(0),
                    number,
                },
                attempts: delivery.attempts,
            });
        }
        Ok(Some(incoming))
    }

    async fn close(&mut self) -> Result<()> {
        self.attachment = None;
        self.subscription.release_owner(self.owner);
        Ok(())
    }
}

impl Drop for MemoryConsumer {
    fn drop(&mut self) {
        self.attachment = None;
        self.subscription.release_owner(self.owner);
    }
}

struct MemorySettler(Arc<Subscription>, Arc<Receipts>);

#[async_trait]
impl Settler for MemorySettler {
    async fn settle(&self, settlements: Vec<(ReceiptToken, Settlement)>) -> Result<()> {
        let receipts = self.1.0.lock().clone();
        let settlements = settlements.into_iter().filter_map(|(token, settlement)| {
            let index = usize::try_from(token.number).ok()?;
            Some((*receipts.get(index)?, settlement))
        });
        self.0.settle(settlements.collect())?.wait().await
    }
}
