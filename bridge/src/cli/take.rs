//! A source that ends after so many messages (`--count`).

use std::num::{NonZeroU64, NonZeroUsize};

use async_trait::async_trait;
use standpipe_core::{
    Result,
    driver::{Consumer, Incoming, ReceiveLimit, StartAt},
};

/// Gives out the first messages of a consumer, then ends. What the consumer has beyond them was
/// never received, and goes back when it is closed.
pub(crate) struct Take {
    inner: Box<dyn Consumer>,
    left: u64,
}

impl Take {
    pub(crate) fn new(inner: Box<dyn Consumer>, count: NonZeroU64) -> Self {
        Self {
            inner,
            left: count.get(),
        }
    }
}

#[async_trait]
impl Consumer for Take {
    async fn receive(&mut self, limit: ReceiveLimit) -> Result<Option<Vec<Incoming>>> {
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let Some(left) = NonZeroUsize::new(left) else {
            return Ok(None);
        };
        let messages = limit.messages.min(left);
        let received = self.inner.receive(ReceiveLimit { messages, ..limit });
        let batch = received.await?;
        self.left -= batch.as_ref().map_or(0, |batch| batch.len() as u64);
        Ok(batch)
    }

    async fn seek(&mut self, to: StartAt) -> Result<()> {
        self.inner.seek(to).await
    }

    async fn close(&mut self) -> Result<()> {
        self.inner.close().await
    }
}
