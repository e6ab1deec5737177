//! What the answers of a connection hold that are not written yet.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Octets; the answer that passes them comes on top.
const LIMIT: usize = 1 << 20;

/// The octets, and whoever waits for them to go: one at a time.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    octets: AtomicUsize,
    shorter: Notify,
}

impl Backlog {
    /// So many more.
    pub(super) fn add(&self, octets: usize) {
        self.octets.fetch_add(octets, Ordering::Relaxed);
    }

    /// So many of them are gone.
    pub(super) fn take_off(&self, octets: usize) {
        self.octets.fetch_sub(octets, Ordering::Relaxed);
        self.shorter.notify_one();
    }

    /// Returns when there are fewer than the limit. Cancel-safe.
    pub(super) async fn has_room(&self) {
        while self.octets.load(Ordering::Relaxed) >= LIMIT {
            self.shorter.notified().await;
        }
    }
}
