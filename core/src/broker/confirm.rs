//! The promise that something is durable.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use tokio::sync::oneshot;

use crate::{
    error::{Error, ErrorKind, Result},
    store::{CommitSeq, Durability, Store},
};

/// Resolves once what it stands for is as durable as was asked. Cancel-safe; dropping it changes nothing.
#[must_use = "nothing is promised before it resolves"]
pub struct Confirm(State);

enum State {
    Ready(Option<Result<()>>),
    Waiting(oneshot::Receiver<Result<()>>),
    Durable(BoxFuture<'static, Result<()>>),
}

impl Confirm {
    /// What is done already.
    pub fn ready() -> Self {
        Self(State::Ready(Some(Ok(()))))
    }

    /// Whether it stands for something that is done already.
    pub fn is_ready(&self) -> bool {
        matches!(self.0, State::Ready(_))
    }

    pub(super) fn pending() -> (oneshot::Sender<Result<()>>, Self) {
        let (sender, receiver) = oneshot::channel();
        (sender, Self(State::Waiting(receiver)))
    }

    pub(super) fn durable(store: Arc<dyn Store>, seq: CommitSeq, level: Durability) -> Self {
        Self(State::Durable(Box::pin(async move {
            store.durable(seq, level).await
        })))
    }

    /// Waits.
    ///
    /// # Errors
    /// `Unknown` where a write or sync failed that may or may not have taken it along.
    pub async fn wait(self) -> Result<()> {
        self.await
    }
}

impl Future for Confirm {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Ready(result) => Poll::Ready(result.take().unwrap_or(Ok(()))),
            State::Waiting(receiver) => Pin::new(receiver)
                .poll(context)
                .map(|result| result.unwrap_or_else(|_| Err(stopped()))),
            State::Durable(future) => future.as_mut().poll(context),
        }
    }
}

impl fmt::Debug for Confirm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Confirm").finish_non_exhaustive()
    }
}

fn stopped() -> Error {
    Error::new(
        ErrorKind::Unknown,
        "confirm",
        "the broker stopped before this was known to be durable",
    )
}
