//! Whether a client takes what it is answered: what lies in a channel is not all of it.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// What a call was answered and has not taken.
#[derive(Debug, Default)]
pub(super) struct Reading {
    look: Mutex<Look>,
    emptied: Notify,
}

/// What was seen of it at one moment.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    waiting: usize,
    taken: u64,
}

impl Reading {
    /// `count` answers are on their way.
    pub(super) fn send(self: &Arc<Self>, count: usize) -> OnTheirWay {
        self.look.lock().waiting += count;
        OnTheirWay {
            reading: self.clone(),
            left: count,
        }
    }

    pub(super) fn look(&self) -> Look {
        *self.look.lock()
    }

    /// Whether something waits, and nothing was taken since.
    pub(super) fn stands_still_since(&self, before: Look) -> bool {
        let now = self.look();
        before.waiting > 0 && now.waiting > 0 && now.taken == before.taken
    }

    /// Returns once all was taken, or given up. Cancel-safe.
    pub(super) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.look().waiting == 0 {
                return;
            }
            emptied.await;
        }
    }

    fn less(&self, count: usize, taken: u64) {
        let mut look = self.look.lock();
        look.waiting -= count;
        look.taken += taken;
        if look.waiting == 0 {
            self.emptied.notify_waiters();
        }
    }
}

/// Answers on their way; those that are left when it is dropped are given up.
#[derive(Debug)]
pub(super) struct OnTheirWay {
    reading: Arc<Reading>,
    left: usize,
}

impl OnTheirWay {
    /// One was taken.
    pub(super) fn take(&mut self) {
        if self.left > 0 {
            self.left -= 1;
            self.reading.less(1, 1);
        }
    }
}

impl Drop for OnTheirWay {
    fn drop(&mut self) {
        if self.left > 0 {
            self.reading.less(self.left, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn it_stands_still_where_something_waits_and_nothing_is_taken() {
        let reading = Arc::<Reading>::default();
        let nothing = reading.look();
        assert!(!reading.stands_still_since(nothing));
        let mut sent = reading.send(2);
        assert!(!reading.stands_still_since(nothing), "it came just now");
        let before = reading.look();
        assert!(reading.stands_still_since(before));
        assert!(reading.emptied().now_or_never().is_none());
        sent.take();
        assert!(!reading.stands_still_since(before));
        drop(sent);
        assert!(reading.emptied().now_or_never().is_some());
        assert!(!reading.stands_still_since(reading.look()));
    }
}
