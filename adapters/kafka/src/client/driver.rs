//! The driver of `kafka://`.

use async_trait::async_trait;
use standpipe_core::{
    Error, ErrorKind, Result,
    address::Address,
    driver::{
        Admin, Capabilities, Confirming, Consumer, Deduplication, Draining, Driver, OpenOptions,
        Ordering, Producer, Settler, Settling,
    },
};

use super::{
    consumer::KafkaConsumer,
    producer::{KafkaProducer, probe, stopped},
    settings::{OPTIONS, common},
};

/// Opens `kafka://host:port,host:port/TOPIC?group=G`.
#[derive(Debug, Clone, Copy, Default)]
pub struct KafkaDriver;

#[async_trait]
impl Driver for KafkaDriver {
    fn scheme(&self) -> &'static str {
        "kafka"
    }

    fn options(&self) -> &'static [&'static str] {
        OPTIONS
    }

    fn capabilities(&self, _: &Address) -> Capabilities {
        let mut capabilities = Capabilities::NONE;
        // Without a group acks have no effect; but a route gives every source a group.
        capabilities.settling = Settling::Cumulative;
        capabilities.ordering = Ordering::Lane;
        capabilities.draining = Draining::EndOffsets;
        capabilities.deduplication = Deduplication::Connection;
        capabilities.confirming = Confirming::Durable;
        capabilities
    }

    async fn producer(&self, address: &Address) -> Result<Box<dyn Producer>> {
        Ok(Box::new(KafkaProducer::open(address).await?))
    }

    async fn consumer(
        &self,
        address: &Address,
        options: &OpenOptions,
    ) -> Result<(Box<dyn Consumer>, Box<dyn Settler>)> {
        let (consumer, settler) = KafkaConsumer::open(address, options).await?;
        Ok((Box::new(consumer), Box::new(settler)))
    }

    async fn admin(&self, _: &Address) -> Result<Box<dyn Admin>> {
        let message = "kafka:// addresses are not administered yet; use Kafka's own tools";
        Err(Error::new(ErrorKind::Unsupported, "administer", message))
    }

    async fn probe(&self, address: &Address) -> Result<()> {
        let topic = address.topic()?.to_owned();
        let config = common(address)?;
        let probed = tokio::task::spawn_blocking(move || probe(&config, &topic));
        probed.await.map_err(stopped)?
    }
}
