//! Where a pipe's ends come from, the first time and after a disconnect.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::{
    address::Address,
    driver::{Capabilities, Consumer, Driver, OpenOptions, Producer, Seeking, Settler, Settling},
    error::{Error, ErrorKind, Result},
};

/// A consumer and its settler.
pub(super) type Opened = (Box<dyn Consumer>, Box<dyn Settler>);

/// Opens a source, again and again.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// Connects.
    ///
    /// # Errors
    /// As [`Driver::consumer`]; what is retryable is retried with backoff, any other ends the pipe.
    async fn open(&self) -> Result<(Box<dyn Consumer>, Box<dyn Settler>)>;
}

/// Opens a destination, again and again.
#[async_trait]
pub trait Destination: Send + Sync + 'static {
    /// Connects.
    ///
    /// # Errors
    /// As [`Driver::producer`]; what is retryable is retried with backoff, any other ends the pipe.
    async fn open(&self) -> Result<Box<dyn Producer>>;
}

/// How a source settles that is opened as `options` say: one with positions that is given a group
/// keeps its position there, though its address alone remembers nothing.
pub fn settling_of(capabilities: Capabilities, options: &OpenOptions) -> Settling {
    let positional = capabilities.seeking == Seeking::OffsetsAndTimes;
    match capabilities.settling {
        Settling::None if positional && options.default_group.is_some() => Settling::Cumulative,
        settling => settling,
    }
}

/// What a driver opens for an address.
pub(super) struct Addressed {
    pub(super) driver: Arc<dyn Driver>,
    pub(super) address: Address,
    pub(super) options: OpenOptions,
}

#[async_trait]
impl Source for Addressed {
    async fn open(&self) -> Result<Opened> {
        self.driver.consumer(&self.address, &self.options).await
    }
}

#[async_trait]
impl Destination for Addressed {
    async fn open(&self) -> Result<Box<dyn Producer>> {
        self.driver.producer(&self.address).await
    }
}

/// An end that was open when it was handed in, and cannot be opened again.
pub(super) struct Once<T>(Mutex<Option<T>>);

impl<T> Once<T> {
    pub(super) fn new(end: T) -> Self {
        Self(Mutex::new(Some(end)))
    }

    fn take(&self) -> Result<T> {
        self.0.lock().take().ok_or_else(|| {
            let message = "the connection is gone, and only an end with an address is opened again";
            Error::new(ErrorKind::Closed, "open", message)
        })
    }
}

#[async_trait]
impl Source for Once<Opened> {
    async fn open(&self) -> Result<Opened> {
        self.take()
    }
}

#[async_trait]
impl Destination for Once<Box<dyn Producer>> {
    async fn open(&self) -> Result<Box<dyn Producer>> {
        self.take()
    }
}
