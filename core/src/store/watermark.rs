//! A number that only rises, and tasks that wait for it to reach theirs.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    task::{Poll, Waker},
};

use parking_lot::Mutex;

use crate::error::{Error, Result};

/// A rising mark with waiters; an advance wakes only those whose number it reaches.
#[derive(Debug, Default)]
pub struct Watermark {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    reached: u64,
    failure: Option<Error>,
    next_id: u64,
    waiters: BTreeMap<(u64, u64), Waker>,
}

impl Watermark {
    /// A mark at `reached`.
    pub fn new(reached: u64) -> Self {
        let mark = Self::default();
        mark.state.lock().reached = reached;
        mark
    }

    /// The mark.
    pub fn reached(&self) -> u64 {
        self.state.lock().reached
    }

    /// Raises the mark to `to`, if it is lower, and wakes whoever waited for that.
    pub fn advance(&self, to: u64) {
        let woken = {
            let mut state = self.state.lock();
            if to <= state.reached {
                return;
            }
            state.reached = to;
            let later = state.waiters.split_off(&(to + 1, 0));
            std::mem::replace(&mut state.waiters, later)
        };
        woken.into_values().for_each(Waker::wake);
    }

    /// Fails everyone who waits for more than the mark, now and from now on.
    pub fn fail(&self, error: Error) {
        let woken = {
            let mut state = self.state.lock();
            state.failure.get_or_insert(error);
            std::mem::take(&mut state.waiters)
        };
        woken.into_values().for_each(Waker::wake);
    }

    /// Waits until the mark is at least `target`. Cancel-safe.
    ///
    /// # Errors
    /// The error that [`Watermark::fail`] was given, unless the mark was there before.
    pub async fn wait(&self, target: u64) -> Result<()> {
        let mut waiter = Waiter {
            mark: self,
            key: None,
        };
        poll_fn(|context| waiter.poll(target, context.waker())).await
    }
}

/// A place among the waiters; given up on drop.
struct Waiter<'a> {
    mark: &'a Watermark,
    key: Option<(u64, u64)>,
}

impl Waiter<'_> {
    fn poll(&mut self, target: u64, waker: &Waker) -> Poll<Result<()>> {
        let mut state = self.mark.state.lock();
        if state.reached >= target {
            return Poll::Ready(Ok(()));
        }
        if let Some(failure) = &state.failure {
            return Poll::Ready(Err(failure.clone()));
        }
        let key = *self.key.get_or_insert_with(|| {
            state.next_id += 1;
            (target, state.next_id)
        });
        state.waiters.insert(key, waker.clone());
        Poll::Pending
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.mark.state.lock().waiters.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::error::ErrorKind;

    #[tokio::test]
    async fn only_those_whose_number_is_reached_wake() {
        let mark = Arc::new(Watermark::default());
        let waits: Vec<_> = (1..=3u64)
            .map(|n| {
                let mark = mark.clone();
                tokio::spawn(async move { mark.wait(n).await.map(|()| n) })
            })
            .collect();
        tokio::task::yield_now().await;
        mark.advance(2);
        let mut waits = waits.into_iter();
        assert_eq!(waits.next().unwrap().await.unwrap().unwrap(), 1);
        assert_eq!(waits.next().unwrap().await.unwrap().unwrap(), 2);
        mark.fail(Error::new(ErrorKind::Unknown, "sync", "gone"));
        assert!(waits.next().unwrap().await.unwrap().is_err());
        assert!(mark.wait(2).await.is_ok(), "what was reached stays reached");
        assert!(mark.state.lock().waiters.is_empty());
    }
}
