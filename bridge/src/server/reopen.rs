//! Opening a store again that failed, while the listeners stay.

use std::{collections::VecDeque, time::Duration};

use standpipe_core::{Error, ErrorKind, Result};
use tokio::time::Instant;

use super::{Server, serving::Serving};

/// This many failures within [`PERIOD`] are not an accident any more.
const LIMIT: usize = 5;
const PERIOD: Duration = Duration::from_secs(60);
/// Between two tries to open the store.
const RETRY: Duration = Duration::from_secs(1);

/// When the store failed last.
#[derive(Debug, Default)]
pub(super) struct Failures(VecDeque<Instant>);

impl Failures {
    /// Counts one more; false where that is one too many.
    fn count(&mut self, now: Instant) -> bool {
        self.0.push_back(now);
        while self.0.front().is_some_and(|first| now - *first > PERIOD) {
            self.0.pop_front();
        }
        self.0.len() < LIMIT
    }
}

impl Server {
    /// Ends what runs on the store that failed with `error`, opens it again, which writes anew what
    /// was not known to be synced, and serves from there. New connections wait meanwhile.
    ///
    /// # Errors
    /// `Permanent` where it fails again and again.
    pub(super) async fn reopen(&mut self, failures: &mut Failures, mut error: Error) -> Result<()> {
        tracing::error!(%error, "the store failed; connections end, and it is opened again");
        // It says once more what it said when it failed.
        drop(self.serving.stop().await);
        loop {
            if !failures.count(Instant::now()) {
                return Err(given_up(&error));
            }
            match self.settings.open().await {
                Ok(broker) => {
                    self.serving = Serving::start(&self.settings, &self.listeners, broker)?;
                    tracing::warn!("the store is open again, and everything is served as before");
                    return Ok(());
                }
                Err(again) => error = again,
            }
            tracing::error!(%error, "the store cannot be opened; trying again");
            tokio::time::sleep(RETRY).await;
        }
    }
}

fn given_up(error: &Error) -> Error {
    let seconds = PERIOD.as_secs();
    let message = format!(
        "the store failed {LIMIT} times within {seconds} seconds, at last with: {error}; \
         look at the disk, then start again"
    );
    Error::new(ErrorKind::Permanent, "reopen store", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_failures_close_to_each_other_are_too_many() {
        let (mut failures, start) = (Failures::default(), Instant::now());
        for n in 0..20 {
            assert!(failures.count(start + n * Duration::from_secs(20)));
        }
        let burst = start + Duration::from_secs(10_000);
        for _ in 1..LIMIT {
            assert!(failures.count(burst));
        }
        assert!(!failures.count(burst));
    }
}
