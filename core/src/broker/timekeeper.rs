//! Wakes when the next bucket of some topic's wheel opens.

use std::{
    collections::BTreeSet,
    sync::{Arc, Weak},
    time::Duration,
};

use futures::{StreamExt, stream};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{Broker, Inner, Topic};
use crate::id::{Millis, TopicId};

/// How soon a topic whose bucket could not be moved is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// The longest sleep: the system's clock may be set forward meanwhile.
const NAP: Duration = Duration::from_mins(1);

/// Topics whose buckets are moved at once: each piece waits for the disk.
const SIDE_BY_SIDE: usize = 32;

/// When which topic has a bucket to open; a topic may stand here several times.
#[derive(Debug, Default)]
pub(super) struct Timekeeper {
    alarms: Mutex<BTreeSet<(Millis, TopicId)>>,
    earlier: Notify,
}

impl Timekeeper {
    /// Wakes the task at `at` for this topic.
    pub(super) fn arm(&self, topic: TopicId, at: Millis) {
        let mut alarms = self.alarms.lock();
        let first = alarms.first().copied();
        alarms.insert((at, topic));
        if first.is_none_or(|first| at < first.0) {
            self.earlier.notify_one();
        }
    }

    /// Starts the task; it ends with the broker.
    pub(super) fn start(broker: &Arc<Inner>) {
        let closing = broker.closing.clone();
        let work = run(Arc::downgrade(broker));
        tokio::spawn(async move { closing.run_until_cancelled(work).await });
    }

    fn take_until(&self, now: Millis) -> BTreeSet<TopicId> {
        let mut alarms = self.alarms.lock();
        let mut due = BTreeSet::new();
        while let Some((_, topic)) = alarms.first().filter(|(at, _)| *at <= now).copied() {
            due.insert(topic);
            alarms.pop_first();
        }
        due
    }

    fn next(&self) -> Option<Millis> {
        self.alarms.lock().first().map(|(at, _)| *at)
    }
}

async fn run(broker: Weak<Inner>) {
    loop {
        let Some(inner) = broker.upgrade() else {
            return;
        };
        let next = inner.timekeeper.next();
        let now = Millis::now();
        if next.is_some_and(|next| next <= now) {
            Broker { inner }.turn_wheels(now).await;
            continue;
        }
        let wait = next.map_or(NAP, |next| {
            Duration::from_millis(next.0.saturating_sub(now.0).unsigned_abs())
        });
        // The broker is not kept alive meanwhile; whoever holds the last handle ends it.
        let keeper = inner.timekeeper.clone();
        drop(inner);
        tokio::select! {
            () = keeper.earlier.notified() => {}
            () = tokio::time::sleep(wait.min(NAP)) => {}
        }
    }
}

impl Broker {
    /// Does what is due at `now`: delayed messages go to their partitions, and what expired is
    /// settled. The broker does so by itself, by the system's clock; a program whose time is not
    /// the system's calls this.
    pub async fn turn_wheels(&self, now: Millis) {
        loop {
            let due = self.inner.timekeeper.take_until(now);
            if due.is_empty() {
                return;
            }
            let turns = stream::iter(due);
            let turns = turns.for_each_concurrent(SIDE_BY_SIDE, |id| self.turn_topic(id, now));
            turns.await;
        }
    }

    async fn turn_topic(&self, id: TopicId, now: Millis) {
        let Some(topic) = self.topic_by_id(id) else {
            return;
        };
        if let Err(error) = self.turn_wheel(&topic, now).await {
            tracing::warn!(topic = %topic.name(), %error, "cannot move what is due; trying again");
            let again = Millis::now().max(now).after(AGAIN);
            self.inner.timekeeper.arm(id, again);
        } else {
            self.arm_next(&topic);
        }
    }

    pub(super) fn arm_next(&self, topic: &Topic) {
        let next = topic.wheel.lock().next_opening();
        if let Some(next) = next {
            self.inner.timekeeper.arm(topic.id(), next);
        }
    }
}
