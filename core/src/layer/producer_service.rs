//! A producer as a tower service.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::sync::Mutex;
use tower::Service;

use super::{Batch, Results};
use crate::{
    driver::Producer,
    error::{Error, Result},
};

/// Sends batches through a producer, one at a time, in the order in which the calls' futures are
/// first polled. Clones share the producer.
#[derive(Clone)]
pub struct ProducerService(Arc<Mutex<Box<dyn Producer>>>);

impl ProducerService {
    /// Wraps a producer.
    pub fn new(producer: Box<dyn Producer>) -> Self {
        Self(Arc::new(Mutex::new(producer)))
    }

    /// Waits for its turn, then sends.
    pub async fn send(&self, batch: Batch) -> Results {
        self.0.lock().await.send(batch).await
    }

    /// Waits for what is under way, then leaves.
    ///
    /// # Errors
    /// What the destination said.
    pub async fn close(&self) -> Result<()> {
        self.0.lock().await.close().await
    }
}

impl Service<Batch> for ProducerService {
    type Response = Results;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Results>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, batch: Batch) -> Self::Future {
        let this = self.clone();
        Box::pin(async move { Ok(this.send(batch).await) })
    }
}

impl std::fmt::Debug for ProducerService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProducerService")
    }
}

#[async_trait::async_trait]
impl Producer for ProducerService {
    async fn send(&mut self, batch: Batch) -> Results {
        Self::send(self, batch).await
    }

    async fn close(&mut self) -> Result<()> {
        Self::close(self).await
    }
}
