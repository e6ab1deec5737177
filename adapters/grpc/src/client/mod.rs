//! `grpc://host:port/TOPIC`: a broker that serves the `standpipe.v1` service.

mod admin;
mod connect;
mod consume;
mod produce;
#[cfg(test)]
mod tests;

use std::{any::Any, sync::Arc};

use async_trait::async_trait;
use standpipe_core::{
    ErrorKind, Result,
    address::Address,
    driver::{Admin, Capabilities, Consumer, Driver, OpenOptions, Producer, Settler},
    session::client::{ADDRESS_OPTIONS, capabilities_of, destination_of, open_of},
};
use tokio::task::JoinHandle;

/// The port where nothing else is said.
pub const DEFAULT_PORT: u16 = 50051;

/// The driver of `grpc://`.
#[derive(Debug, Clone, Copy, Default)]
pub struct GrpcDriver;

impl GrpcDriver {
    /// The driver.
    pub fn new() -> Self {
        Self
    }
}

#[async_trait]
impl Driver for GrpcDriver {
    fn scheme(&self) -> &'static str {
        "grpc"
    }

    fn options(&self) -> &'static [&'static str] {
        ADDRESS_OPTIONS
    }

    fn capabilities(&self, address: &Address) -> Capabilities {
        capabilities_of(address)
    }

    async fn producer(&self, address: &Address) -> Result<Box<dyn Producer>> {
        let (destination, durability) = destination_of(address)?;
        let client = connect::connect(address).await?;
        produce::producer(client, destination, durability).await
    }

    async fn consumer(
        &self,
        address: &Address,
        options: &OpenOptions,
    ) -> Result<(Box<dyn Consumer>, Box<dyn Settler>)> {
        let open = open_of(address, options)?;
        let client = connect::connect(address).await?;
        consume::consumer(client, open, options.window).await
    }

    async fn admin(&self, address: &Address) -> Result<Box<dyn Admin>> {
        let client = connect::connect(address).await?;
        Ok(Box::new(admin::GrpcAdmin::new(client)))
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
