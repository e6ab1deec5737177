//! A bound on the bytes that a pipe holds.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::message::Message;

/// Bytes that a message takes besides its own, about: itself, its place in the order, its confirm.
pub(super) const EACH: usize = 2_048;

/// What `message` counts for: small ones take far more memory than their payloads.
pub(super) fn cost(message: &Message) -> usize {
    message.size() + EACH
}

/// Bytes received and not settled yet. The reader waits while they reach the limit.
#[derive(Debug)]
pub(super) struct Budget {
    limit: usize,
    used: AtomicUsize,
    freed: Notify,
}

impl Budget {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            used: AtomicUsize::new(0),
            freed: Notify::new(),
        }
    }

    /// Waits until something is free, and returns how much.
    pub(super) async fn free(&self) -> usize {
        loop {
            let freed = self.freed.notified();
            let free = self.limit.saturating_sub(self.used.load(Ordering::Acquire));
            if free > 0 {
                return free;
            }
            freed.await;
        }
    }

    /// Whether nothing is taken: all that came in is settled, or held for good.
    pub(super) fn is_unused(&self) -> bool {
        self.used.load(Ordering::Acquire) == 0
    }

    /// Counts what came in; it may overshoot by a batch.
    pub(super) fn take(&self, bytes: usize) {
        self.used.fetch_add(bytes, Ordering::AcqRel);
    }

    /// Gives back what [`Budget::take`] counted.
    pub(super) fn give(&self, bytes: usize) {
        if bytes > 0 {
            self.used.fetch_sub(bytes, Ordering::AcqRel);
            self.freed.notify_waiters();
        }
    }
}
