//! Deletes queues that nothing has used for the time that they were declared with.

use std::{
    collections::BTreeSet,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::{Broker, Inner, QUEUE, Subscription, subscription::State};
use crate::{
    disuse::{Disuse, Verdict},
    id::{SubscriptionId, TopicId},
};

/// When which queue is to be looked at.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    set: Mutex<BTreeSet<Alarm>>,
    earlier: Notify,
}

type Alarm = (Instant, TopicId, SubscriptionId);

impl Alarms {
    /// Starts the task that looks; it ends with the broker.
    pub(super) fn start(broker: &Arc<Inner>) {
        let closing = broker.closing.clone();
        let work = run(Arc::downgrade(broker));
        tokio::spawn(async move { closing.run_until_cancelled(work).await });
    }

    fn add(&self, alarm: Alarm) {
        let mut set = self.set.lock();
        set.insert(alarm);
        if set.first() == Some(&alarm) {
            self.earlier.notify_one();
        }
    }

    fn remove(&self, alarm: Alarm) {
        self.set.lock().remove(&alarm);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.set.lock().len()
    }

    fn next(&self) -> Option<Instant> {
        self.set.lock().first().map(|(at, ..)| *at)
    }

    fn take_due(&self, now: Instant) -> Option<Alarm> {
        let mut set = self.set.lock();
        let due = *set.first().filter(|(at, ..)| *at <= now)?;
        set.pop_first();
        Some(due)
    }
}

async fn run(broker: Weak<Inner>) {
    loop {
        let Some(inner) = broker.upgrade() else {
            return;
        };
        let broker = Broker { inner };
        broker.delete_unused_queues().await;
        // The broker is not kept alive meanwhile; whoever holds the last handle ends it.
        let alarms = broker.inner.alarms.clone();
        drop(broker);
        let due = async {
            match alarms.next() {
                Some(next) => sleep_until(next).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = alarms.earlier.notified() => {}
            () = due => {}
        }
    }
}

impl Broker {
    /// Deletes the queues whose time without use is over.
    async fn delete_unused_queues(&self) {
        while let Some((_, topic, id)) = self.inner.alarms.take_due(Instant::now()) {
            let topic = self.topic_by_id(topic);
            let queue = topic.and_then(|topic| topic.subscription(QUEUE));
            if let Some(queue) = queue.filter(|queue| queue.id == id) {
                self.delete_if_over(&queue).await;
            }
        }
    }

    async fn delete_if_over(&self, queue: &Arc<Subscription>) {
        // A declaration that came first renews its time.
        let _admin = self.turn().await;
        if queue.gone.is_cancelled() || !queue.is_over() {
            return;
        }
        if let Err(error) = self.delete_queue_locked(queue).await {
            tracing::error!(%error, "a queue that was not used is not deleted");
        }
    }
}

impl Subscription {
    /// Counts as use now, for a queue that goes when it is unused: [`super::QueueSpec::unused_for`].
    pub fn used(&self) {
        self.used_in(&mut self.state.lock());
    }

    /// The same while its state is locked.
    pub(super) fn used_in(&self, state: &mut State) {
        let alarm = state
            .disuse
            .as_mut()
            .and_then(|disuse| disuse.used(Instant::now()));
        self.set_alarm(alarm);
    }

    /// Ends it for its consumers, and for whoever commits to it: it is deleted.
    pub(super) fn end(&self) {
        self.gone.cancel();
        let broker = self.broker.upgrade();
        let turn = broker.as_ref().map(|broker| broker.group_commits.lock());
        let mut state = self.state.lock();
        state.deleted = true;
        let alarm = state.disuse.as_ref().and_then(Disuse::alarm);
        drop(state);
        drop(turn);
        if let Some((alarm, broker)) = self.alarm_at(alarm) {
            broker.alarms.remove(alarm);
        }
    }

    fn is_over(&self) -> bool {
        let mut state = self.state.lock();
        let in_use = !state.outboxes.is_empty();
        let Some(disuse) = &mut state.disuse else {
            return false;
        };
        match disuse.rang(Instant::now(), in_use) {
            Verdict::Over => return true,
            Verdict::Until(at) => self.set_alarm(Some(at)),
            Verdict::Used => {}
        }
        false
    }

    fn set_alarm(&self, at: Option<Instant>) {
        if let Some((alarm, broker)) = self.alarm_at(at) {
            broker.alarms.add(alarm);
        }
    }

    fn alarm_at(&self, at: Option<Instant>) -> Option<(Alarm, Arc<Inner>)> {
        let alarm = (at?, self.topic.upgrade()?.id(), self.id);
        Some((alarm, self.broker.upgrade()?))
    }
}
