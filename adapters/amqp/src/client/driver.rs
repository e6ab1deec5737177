//! The driver of `amqp://`.

use async_trait::async_trait;
use standpipe_core::{
    Error, ErrorKind, Result,
    address::Address,
    driver::{
        Admin, Capabilities, Confirming, Consumer, Draining, Driver, OpenOptions, Ordering,
        Producer, Redelivery, Settler, Settling,
    },
};

use super::{
    connect::{close, connect, in_time, look},
    consumer::AmqpConsumer,
    producer::AmqpProducer,
    target::{OPTIONS, Target},
};

/// Opens `amqp://user:password@host:port/VHOST?queue=Q` and `…?exchange=E&key=K`.
#[derive(Debug, Clone, Copy, Default)]
pub struct AmqpDriver;

#[async_trait]
impl Driver for AmqpDriver {
    fn scheme(&self) -> &'static str {
        "amqp"
    }

    fn options(&self) -> &'static [&'static str] {
        OPTIONS
    }

    fn capabilities(&self, address: &Address) -> Capabilities {
        let mut capabilities = Capabilities::NONE;
        capabilities.confirming = Confirming::Durable;
        capabilities.ordering = Ordering::Total;
        if address.option("queue").is_some() {
            capabilities.settling = Settling::PerMessage;
            capabilities.redelivery = Redelivery::Flagged;
            capabilities.draining = Draining::Idle;
        }
        capabilities
    }

    async fn producer(&self, address: &Address) -> Result<Box<dyn Producer>> {
        Ok(Box::new(AmqpProducer::open(address).await?))
    }

    async fn consumer(
        &self,
        address: &Address,
        options: &OpenOptions,
    ) -> Result<(Box<dyn Consumer>, Box<dyn Settler>)> {
        let (consumer, settler) = AmqpConsumer::open(address, options).await?;
        Ok((Box::new(consumer), Box::new(settler)))
    }

    async fn admin(&self, _: &Address) -> Result<Box<dyn Admin>> {
        let message = "AMQP 0-9-1 cannot list queues; use the broker's own tools";
        Err(Error::new(ErrorKind::Unsupported, "administer", message))
    }

    async fn probe(&self, address: &Address) -> Result<()> {
        let target = Target::of(address)?;
        let connection = connect(address).await?;
        // Dropped before, the channel would close by itself and be in the connection's way.
        let _channel = in_time("probe", look(&connection, &target)).await?;
        close(&connection).await
    }
}
