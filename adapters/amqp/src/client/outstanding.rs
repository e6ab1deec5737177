//! Deliveries that are not settled yet.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// The delivery tags of one channel that were handed out and are not settled.
#[derive(Debug, Default)]
pub(super) struct Outstanding {
    tags: Mutex<BTreeSet<u64>>,
    emptied: Notify,
}

/// How to ack some tags with few frames.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Acks {
    /// Everything up to this tag, in one frame.
    pub(super) up_to: Option<u64>,
    /// What is beyond a hole, one by one.
    pub(super) single: Vec<u64>,
}

impl Outstanding {
    pub(super) fn add(&self, tag: u64) {
        self.tags.lock().insert(tag);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tags.lock().is_empty()
    }

    /// Returns when nothing is unsettled.
    pub(super) async fn wait_empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.is_empty() {
                return;
            }
            emptied.await;
        }
    }

    /// Takes tags out; one that is not there was settled before and is left out.
    pub(super) fn settle(&self, tag: u64) -> bool {
        let mut tags = self.tags.lock();
        let known = tags.remove(&tag);
        if tags.is_empty() {
            self.emptied.notify_waiters();
        }
        known
    }

    /// Takes acked tags out: what has nothing unsettled before it goes in one frame.
    pub(super) fn ack(&self, acked: impl IntoIterator<Item = u64>) -> Acks {
        let mut tags = self.tags.lock();
        let mut acked: BTreeSet<u64> = acked.into_iter().filter(|tag| tags.remove(tag)).collect();
        if tags.is_empty() {
            self.emptied.notify_waiters();
        }
        let first_hole = tags.first().copied().unwrap_or(u64::MAX);
        let beyond = acked.split_off(&first_hole);
        Acks {
            up_to: acked.last().copied(),
            single: beyond.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acks_up_to_a_hole_are_one_frame_and_none_covers_it() {
        let outstanding = Outstanding::default();
        (1..=6).for_each(|tag| outstanding.add(tag));
        let acks = outstanding.ack([2, 1, 4, 5]);
        assert_eq!((acks.up_to, acks.single), (Some(2), vec![4, 5]));
        let acks = outstanding.ack([3, 3, 9]);
        assert_eq!((acks.up_to, acks.single), (Some(3), vec![]));
        assert!(outstanding.settle(6) && !outstanding.settle(6));
        assert!(outstanding.is_empty());
    }
}
