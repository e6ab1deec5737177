//! A tower service as a producer.

use async_trait::async_trait;
use tower::{BoxError, Layer, Service, ServiceExt as _};

use super::{Batch, ProducerService, Results};
use crate::{
    driver::Producer,
    error::{Error, ErrorKind, Result},
    message::Message,
};

/// Sends batches through a service.
pub struct ServiceProducer<S> {
    service: S,
    inner: Option<ProducerService>,
}

impl<S> ServiceProducer<S>
where
    S: Service<Batch, Response = Results> + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
{
    /// Wraps a service; closing the producer only drops it.
    pub fn new(service: S) -> Self {
        let inner = None;
        Self { service, inner }
    }

    /// Puts a layer, or a whole `ServiceBuilder`, before a producer.
    pub fn layered<L>(layer: L, producer: Box<dyn Producer>) -> Box<dyn Producer>
    where
        L: Layer<ProducerService, Service = S>,
    {
        let inner = ProducerService::new(producer);
        Box::new(Self {
            service: layer.layer(inner.clone()),
            inner: Some(inner),
        })
    }

    async fn call(&mut self, batch: Batch) -> Result<Results> {
        let count = batch.len();
        let service = self.service.ready().await.map_err(into_error)?;
        let results = service.call(batch).await.map_err(into_error)?;
        if results.len() == count {
            return Ok(results);
        }
        let message = format!("{} results for {count} messages", results.len());
        Err(Error::new(ErrorKind::Unknown, "send", message))
    }
}

#[async_trait]
impl<S> Producer for ServiceProducer<S>
where
    S: Service<Batch, Response = Results> + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
{
    async fn send(&mut self, batch: Vec<Message>) -> Results {
        let count = batch.len();
        match self.call(batch).await {
            Ok(results) => results,
            Err(error) => vec![Err(error); count],
        }
    }

    async fn close(&mut self) -> Result<()> {
        match &self.inner {
            Some(inner) => inner.close().await,
            None => Ok(()),
        }
    }
}

/// An error of ours as it is. A layer's own says what it knows: shed load was not applied, and
/// whatever else happened, such as a timeout, may have been after the batch was applied.
fn into_error(error: impl Into<BoxError>) -> Error {
    let error = match error.into().downcast::<Error>() {
        Ok(ours) => return *ours,
        Err(error) => error,
    };
    let kind = if error.is::<tower::load_shed::error::Overloaded>() {
        ErrorKind::Throttled
    } else {
        ErrorKind::Unknown
    };
    Error::new(kind, "send", "refused by a layer").with_source(error)
}
