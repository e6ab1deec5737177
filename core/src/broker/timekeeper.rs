//! Wakes when the next bucket of some topic's wheel opens.

use std::{
    collections::{BTreeSet, HashMap},
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

/// When which topic is to be looked at next.
#[derive(Debug, Default)]
pub(super) struct Timekeeper {
    alarms: Mutex<Alarms>,
    earlier: Notify,
}

/// One alarm a topic: what comes after it is found when it rings.
#[derive(Debug, Default)]
struct Alarms {
    by_time: BTreeSet<(Millis, TopicId)>,
    by_topic: HashMap<TopicId, Millis>,
}

impl Alarms {
    /// Whether it is the first of all now.
    fn set(&mut self, topic: TopicId, at: Millis) -> bool {
        if self.by_topic.get(&topic).is_some_and(|set| *set <= at) {
            return false;
        }
        self.remove(topic);
        let is_first = self.by_time.first().is_none_or(|first| at < first.0);
        self.by_topic.insert(topic, at);
        self.by_time.insert((at, topic));
        is_first
    }

    fn remove(&mut self, topic: TopicId) {
        if let Some(at) = self.by_topic.remove(&topic) {
            self.by_time.remove(&(at, topic));
        }
    }
}

impl Timekeeper {
    /// Wakes the task at `at` for this topic.
    pub(super) fn arm(&self, topic: TopicId, at: Millis) {
        if self.alarms.lock().set(topic, at) {
            self.earlier.notify_one();
        }
    }

    /// The topic is gone.
    pub(super) fn disarm(&self, topic: TopicId) {
        self.alarms.lock().remove(topic);
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
        while let Some((at, topic)) = alarms.by_time.first().copied()
            && at <= now
        {
            alarms.remove(topic);
            due.insert(topic);
        }
        due
    }

    fn next(&self) -> Option<Millis> {
        let alarms = self.alarms.lock();
        alarms.by_time.first().map(|(at, _)| *at)
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
        topic.expire_in_memory(now);
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
        if let Some(next) = next.into_iter().chain(topic.next_expiring()).min() {
            self.inner.timekeeper.arm(topic.id(), next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_has_one_alarm_the_earliest_and_none_once_it_is_gone() {
        let keeper = Timekeeper::default();
        let [one, two] = [TopicId::random(), TopicId::random()];
        for at in [50, 20, 90] {
            keeper.arm(one, Millis(at));
            keeper.arm(two, Millis(at + 1));
        }
        assert_eq!(keeper.alarms.lock().by_time.len(), 2);
        assert_eq!(keeper.next(), Some(Millis(20)));
        assert_eq!(keeper.take_until(Millis(20)), BTreeSet::from([one]));
        keeper.arm(one, Millis(90));
        keeper.disarm(two);
        assert_eq!(keeper.next(), Some(Millis(90)));
        assert_eq!(keeper.take_until(Millis(100)), BTreeSet::from([one]));
        assert_eq!(keeper.next(), None);
    }
}
