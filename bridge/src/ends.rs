//! A pipe's ends from parsed addresses, whose secrets are never written out to be parsed again.

use std::sync::Arc;

use async_trait::async_trait;
use standpipe_core::{
    Result,
    address::Address,
    driver::{Consumer, Driver, OpenOptions, Producer, Registry, Settler, Settling},
    pipe::{Destination, Source},
};

/// Opens the source that an address names.
pub struct SourceAt {
    driver: Arc<dyn Driver>,
    address: Address,
    options: OpenOptions,
}

impl SourceAt {
    /// The source at `address`, opened as `options` say.
    ///
    /// # Errors
    /// `Invalid` for an unknown scheme or option.
    pub fn new(registry: &Registry, address: &Address, options: OpenOptions) -> Result<Self> {
        Ok(Self {
            driver: registry.driver(address)?,
            address: address.clone(),
            options,
        })
    }

    /// How it settles.
    #[must_use]
    pub fn settling(&self) -> Settling {
        self.driver.capabilities(&self.address).settling
    }
}

#[async_trait]
impl Source for SourceAt {
    async fn open(&self) -> Result<(Box<dyn Consumer>, Box<dyn Settler>)> {
        self.driver.consumer(&self.address, &self.options).await
    }
}

/// Opens the destination that an address names.
pub struct DestinationAt {
    driver: Arc<dyn Driver>,
    address: Address,
}

impl DestinationAt {
    /// The destination at `address`.
    ///
    /// # Errors
    /// `Invalid` for an unknown scheme or option.
    pub fn new(registry: &Registry, address: &Address) -> Result<Self> {
        Ok(Self {
            driver: registry.driver(address)?,
            address: address.clone(),
        })
    }
}

#[async_trait]
impl Destination for DestinationAt {
    async fn open(&self) -> Result<Box<dyn Producer>> {
        self.driver.producer(&self.address).await
    }
}
