//! Take a token, or be refused at once.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;
use tower::{BoxError, Layer, Service};

use super::{Batch, Results};
use crate::error::{Error, ErrorKind};

/// A token bucket before a queue: each message takes a token, or is refused at once as
/// `Throttled`. Nothing waits and nothing is queued; in a route, the pipe tries the refused again.
///
/// Of a batch, the first messages take what there is and the rest is refused, so order holds.
/// All services made from clones of one layer share the bucket.
#[derive(Debug, Clone)]
pub struct TokenBucket {
    bucket: Arc<Mutex<Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    capacity: f64,
    per_second: f64,
    tokens: f64,
    refilled: Instant,
}

impl TokenBucket {
    /// A bucket that holds `capacity` tokens, is full now, and gets `tokens` more each `period`.
    ///
    /// # Panics
    /// Where the period is zero.
    pub fn new(capacity: u32, tokens: u32, period: Duration) -> Self {
        assert!(!period.is_zero(), "a bucket is refilled over a time");
        let bucket = Bucket {
            capacity: f64::from(capacity),
            per_second: f64::from(tokens) / period.as_secs_f64(),
            tokens: f64::from(capacity),
            refilled: Instant::now(),
        };
        Self {
            bucket: Arc::new(Mutex::new(bucket)),
        }
    }

    /// A bucket for `rate` messages a second, and as many at once.
    pub fn per_second(rate: u32) -> Self {
        Self::new(rate, rate, Duration::from_secs(1))
    }

    /// Takes up to `wanted` tokens, and returns how many there were.
    pub fn take(&self, wanted: usize) -> usize {
        let mut bucket = self.bucket.lock();
        let now = Instant::now();
        let elapsed = now.duration_since(bucket.refilled).as_secs_f64();
        bucket.refilled = now;
        bucket.tokens = bucket
            .capacity
            .min(bucket.tokens + elapsed * bucket.per_second);
        // Truncation is meant: a part of a token is none. The capacity fits in 32 bits.
        let taken = wanted.min(bucket.tokens as usize);
        bucket.tokens -= taken as f64;
        taken
    }
}

impl<S> Layer<S> for TokenBucket {
    type Service = TokenBucketService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let bucket = self.clone();
        TokenBucketService { inner, bucket }
    }
}

/// A service behind a [`TokenBucket`].
#[derive(Debug, Clone)]
pub struct TokenBucketService<S> {
    inner: S,
    bucket: TokenBucket,
}

impl<S> Service<Batch> for TokenBucketService<S>
where
    S: Service<Batch, Response = Results>,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    type Response = Results;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Results, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, mut batch: Batch) -> Self::Future {
        let taken = self.bucket.take(batch.len());
        let refused = batch.split_off(taken).len();
        let sent = (taken > 0).then(|| self.inner.call(batch));
        Box::pin(async move {
            let mut results = match sent {
                Some(sent) => sent.await.map_err(Into::into)?,
                None => Vec::new(),
            };
            let throttled = Error::new(ErrorKind::Throttled, "send", "no token left in the bucket");
            results.extend(std::iter::repeat_n(Err(throttled), refused));
            Ok(results)
        })
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::{driver::Producer, error::Result, layer::ServiceProducer, message::Message};

    struct Accepts;

    #[async_trait]
    impl Producer for Accepts {
        async fn send(&mut self, batch: Vec<Message>) -> Vec<Result<()>> {
            vec![Ok(()); batch.len()]
        }
        async fn close(&mut self) -> Result<()> {
            Ok(())
        }
    }

    async fn send(producer: &mut Box<dyn Producer>, count: usize) -> Vec<bool> {
        let results = producer.send(vec![Message::new("x"); count]).await;
        let throttled = |e: &Error| e.kind() == ErrorKind::Throttled;
        assert!(
            results
                .iter()
                .all(|r| r.as_ref().err().is_none_or(throttled))
        );
        results.iter().map(Result::is_ok).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_token_is_refused_at_once() {
        let mut producer = ServiceProducer::layered(TokenBucket::per_second(2), Box::new(Accepts));
        let start = Instant::now();
        assert_eq!(send(&mut producer, 3).await, [true, true, false]);
        assert_eq!(send(&mut producer, 1).await, [false]);
        assert_eq!(start.elapsed(), Duration::ZERO);
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(send(&mut producer, 2).await, [true, false]);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(send(&mut producer, 3).await, [true, true, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn layers_of_tower_stack_on_it_and_their_refusals_are_ours() {
        struct Hangs;
        #[async_trait]
        impl Producer for Hangs {
            async fn send(&mut self, _: Vec<Message>) -> Vec<Result<()>> {
                std::future::pending().await
            }
            async fn close(&mut self) -> Result<()> {
                Ok(())
            }
        }
        let policy = tower::ServiceBuilder::new()
            .layer(TokenBucket::per_second(5))
            .timeout(Duration::from_secs(3));
        let mut producer = ServiceProducer::layered(policy, Box::new(Hangs));
        let results = producer.send(vec![Message::new("x")]).await;
        assert_eq!(results[0].as_ref().unwrap_err().kind(), ErrorKind::Unknown);
    }
}
