//! How long to wait before trying again.

use std::{
    hash::BuildHasher as _,
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Exponential backoff with jitter: between half and all of a delay that doubles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The delay before the first retry.
    pub first: Duration,
    /// The longest delay.
    pub longest: Duration,
    /// Attempts after which a message is treated as refused; `None` never gives up.
    pub attempts: Option<NonZeroU32>,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(50),
            longest: Duration::from_secs(10),
            attempts: None,
        }
    }
}

impl Backoff {
    /// The delay before retry number `retry`, from 1.
    pub(super) fn delay(&self, retry: u32) -> Duration {
        let doubled = 2u32.saturating_pow(retry.saturating_sub(1).min(30));
        let whole = self.first.saturating_mul(doubled).min(self.longest);
        whole.mul_f64(0.5 + 0.5 * jitter())
    }

    /// Whether so many attempts are all that are made.
    pub(super) fn exhausted(&self, attempts: u32) -> bool {
        self.attempts.is_some_and(|limit| attempts >= limit.get())
    }
}

/// A number from 0 to below 1, different in each process and call. Spread is all that is asked.
fn jitter() -> f64 {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let hash = foldhash::fast::RandomState::default().hash_one(call);
    (hash >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest_with_jitter() {
        let backoff = Backoff::default();
        for (retry, whole) in [(1, 50), (2, 100), (3, 200), (9, 10_000), (u32::MAX, 10_000)] {
            let whole = Duration::from_millis(whole);
            let delay = backoff.delay(retry);
            assert!(whole / 2 <= delay && delay <= whole, "{retry}: {delay:?}");
        }
    }
}
