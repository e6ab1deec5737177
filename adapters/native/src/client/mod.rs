//! `standpipe://host:port/TOPIC`: a broker elsewhere over the native protocol, or, without a host,
//! the broker in this process.

mod admin;
mod connect;
mod consume;
mod keep_alive;
mod local;
mod produce;
#[cfg(test)]
mod tests;

use std::{any::Any, sync::Arc};

use async_trait::async_trait;
use standpipe_core::{
    Error, ErrorKind, Result,
    address::Address,
    broker::Broker,
    driver::{Admin, Capabilities, Consumer, Driver, OpenOptions, Producer, Settler},
    session::client::{ADDRESS_OPTIONS, capabilities_of, destination_of, open_of},
};
use tokio::task::JoinHandle;

/// The port where nothing else is said.
pub const DEFAULT_PORT: u16 = 5670;

/// The driver of `standpipe://`.
#[derive(Debug, Clone, Default)]
pub struct NativeDriver {
    local: Option<Broker>,
}

impl NativeDriver {
    /// A driver for brokers elsewhere.
    pub fn new() -> Self {
        Self::default()
    }

    /// A driver that also opens `standpipe:///TOPIC`, the broker in this process.
    pub fn with_broker(broker: Broker) -> Self {
        Self {
            local: Some(broker),
        }
    }

    /// The broker in this process, where the address means it.
    fn local(&self, address: &Address) -> Result<Option<&Broker>> {
        if !address.hosts().is_empty() {
            return Ok(None);
        }
        self.local.as_ref().map(Some).ok_or_else(|| {
            address.invalid("there is no broker in this process; write standpipe://HOST:PORT/TOPIC")
        })
    }
}

#[async_trait]
impl Driver for NativeDriver {
    fn scheme(&self) -> &'static str {
        "standpipe"
    }

    fn options(&self) -> &'static [&'static str] {
        ADDRESS_OPTIONS
    }

    fn capabilities(&self, address: &Address) -> Capabilities {
        capabilities_of(address)
    }

    async fn producer(&self, address: &Address) -> Result<Box<dyn Producer>> {
        let (destination, durability) = destination_of(address)?;
        if let Some(broker) = self.local(address)? {
            return Ok(local::producer(broker, destination, durability));
        }
        let wire = connect::connect(address).await?;
        Ok(produce::producer(wire, destination, durability))
    }

    async fn consumer(
        &self,
        address: &Address,
        options: &OpenOptions,
    ) -> Result<(Box<dyn Consumer>, Box<dyn Settler>)> {
        let open = open_of(address, options)?;
        if let Some(broker) = self.local(address)? {
            return local::consumer(broker, open, options.window).await;
        }
        let wire = connect::connect(address).await?;
        consume::consumer(wire, open, options.window).await
    }

    async fn admin(&self, address: &Address) -> Result<Box<dyn Admin>> {
        if let Some(broker) = self.local(address)? {
            return Ok(Box::new(admin::NativeAdmin::local(broker.clone())));
        }
        let wire = connect::connect(address).await?;
        Ok(Box::new(admin::NativeAdmin::remote(wire)))
    }

    async fn probe(&self, address: &Address) -> Result<()> {
        let admin = self.admin(address).await?;
        match address.path() {
            Some(topic) if !topic.is_empty() => match admin.describe(topic).await {
                // It is brought into being when it is used.
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                described => described.map(|_| ()),
            },
            _ => admin.list().await.map(|_| ()),
        }
    }
}

/// Ends a task with the last one who needs it.
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs `task` for as long as the guard lives.
fn guarded(task: impl Future<Output = ()> + Send + 'static) -> Arc<dyn Any + Send + Sync> {
    Arc::new(AbortOnDrop(tokio::spawn(task)))
}

fn disconnected(operation: &'static str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Disconnected, operation, message)
}
