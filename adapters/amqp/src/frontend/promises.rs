//! What a channel published, outside confirm mode, and is not visible to it yet.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use futures::FutureExt;
use standpipe_core::{Error, broker::Confirm};

use super::refusal::Handled;

/// Promises that are not kept yet, oldest first.
///
/// The broker's admission bounds their number: each holds octets in flight until it is kept, and
/// is forgotten here with the first publish after that.
#[derive(Debug, Default)]
pub(super) struct Promises {
    waiting: VecDeque<Confirm>,
    failed: Option<Error>,
}

impl Promises {
    /// One more.
    ///
    /// # Errors
    /// That an earlier one was broken. Without confirms, nothing else tells the client.
    pub(super) fn made(&mut self, mut promise: Confirm) -> Handled {
        match (&mut promise).now_or_never() {
            Some(kept) => self.note(kept),
            None => self.waiting.push_back(promise),
        }
        // Only to forget what is done.
        let _ = self.poll_kept(&mut Context::from_waker(Waker::noop()));
        self.check()
    }

    /// Ready once each is kept or broken.
    pub(super) fn poll_kept(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while let Some(oldest) = self.waiting.front_mut() {
            let Poll::Ready(kept) = Pin::new(oldest).poll(context) else {
                return Poll::Pending;
            };
            self.waiting.pop_front();
            self.note(kept);
        }
        Poll::Ready(())
    }

    /// Tells, once, that a promise was broken.
    pub(super) fn check(&mut self) -> Handled {
        self.failed.take().map_or(Ok(()), |error| Err(error.into()))
    }

    fn note(&mut self, kept: standpipe_core::Result<()>) {
        if let Err(error) = kept {
            tracing::warn!(%error, "a publish without confirms is lost");
            self.failed = Some(error);
        }
    }
}
