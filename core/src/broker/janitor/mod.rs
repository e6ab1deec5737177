//! Housekeeping: space that retention lets go, and queues that go with their last consumer.

mod common;
mod compact;
mod holes;
mod limits;
mod settled;

pub(super) use holes::Space;
pub(super) use settled::trim_op;

use std::sync::{Arc, OnceLock, Weak};

use tokio::{
    sync::mpsc,
    time::{Duration, MissedTickBehavior},
};

use super::{Broker, Inner, Retention, Subscription, Topic};
use crate::{
    compaction::Beyond,
    error::Result,
    id::Millis,
    store::{Commit, Durability, Op},
};

/// A shorter period than this would only look at what it has just seen.
const SHORTEST: Duration = Duration::from_millis(1);

/// Where work for the janitor's task is left.
#[derive(Default)]
pub(super) struct Janitor(OnceLock<mpsc::UnboundedSender<Arc<Subscription>>>);

impl Janitor {
    /// A consumer left: its queue may have to go.
    pub(super) fn check_unused(&self, subscription: &Arc<Subscription>) {
        if subscription
            .queue
            .as_ref()
            .is_some_and(|queue| queue.auto_delete)
            && let Some(sender) = self.0.get()
        {
            let _ = sender.send(subscription.clone());
        }
    }

    /// Starts the tasks; they end with the broker.
    pub(super) fn start(&self, broker: &Arc<Inner>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        if self.0.set(sender).is_err() {
            return;
        }
        let unused = delete_unused(Arc::downgrade(broker), receiver);
        let period = broker.options.housekeeping;
        let tidy = each_period(Arc::downgrade(broker), period, |broker| async move {
            broker.tidy(Millis::now()).await;
        });
        // A large log takes a while, and others are not to wait for their space behind it.
        let compact = each_period(Arc::downgrade(broker), period, |broker| async move {
            broker.compact(Millis::now()).await;
        });
        for work in [
            Box::pin(unused) as futures::future::BoxFuture<'static, ()>,
            Box::pin(tidy),
            Box::pin(compact),
        ] {
            let closing = broker.closing.clone();
            tokio::spawn(async move { closing.run_until_cancelled(work).await });
        }
    }
}

async fn delete_unused(
    broker: Weak<Inner>,
    mut unused: mpsc::UnboundedReceiver<Arc<Subscription>>,
) {
    while let Some(subscription) = unused.recv().await {
        let Some(inner) = broker.upgrade() else {
            return;
        };
        Broker { inner }.delete_if_unused(&subscription).await;
    }
}

/// Goes round each period, until the broker is gone.
async fn each_period<R: Future<Output = ()>>(
    broker: Weak<Inner>,
    period: Duration,
    round: impl Fn(Broker) -> R,
) {
    let mut clock = tokio::time::interval(period.max(SHORTEST));
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        clock.tick().await;
        let Some(inner) = broker.upgrade() else {
            return;
        };
        round(Broker { inner }).await;
    }
}

impl Broker {
    /// One round over all topics: what the store refused is tried again, and what each one's retention
    /// lets go is given back.
    pub(super) async fn tidy(&self, now: Millis) {
        let topics: Vec<_> = self.inner.state.read().by_id.values().cloned().collect();
        let mut forgets = settled::FORGETS_A_ROUND;
        let mut failures = Vec::new();
        for topic in topics {
            topic.make_up();
            let done = match topic.retention() {
                Retention::Forever => Ok(()),
                Retention::Compact(policy) if policy.beyond == Beyond::Stays => Ok(()),
                Retention::Settled => self.give_back_settled(&topic, &mut forgets).await,
                limits => self.trim_by_limits(&topic, limits, now).await,
            };
            failures.extend(done.err().map(|error| (topic.name().clone(), error)));
            // A hundred thousand topics are no reason to hold a thread.
            tokio::task::yield_now().await;
        }
        // One line a round: a full disk fails all topics alike.
        if let Some((topic, error)) = failures.first() {
            let topics = failures.len();
            tracing::warn!(%topic, topics, %error, "space is not given back");
        }
    }

    /// Submits for a topic that is still there and for as long as `still` holds, which does not change
    /// meanwhile if it is what an administrator sets; else `false`: a step behind a topic's end would
    /// bring its log back.
    async fn submit_while(
        &self,
        topic: &Topic,
        ops: Vec<Op>,
        still: impl Fn() -> bool,
    ) -> Result<bool> {
        let _admin = self.turn().await;
        if topic.is_gone() || !still() {
            return Ok(false);
        }
        self.submit_space(topic, ops).map(|()| true)
    }

    fn submit_space(&self, topic: &Topic, ops: Vec<Op>) -> Result<()> {
        let submitted = topic.store.submit(Commit {
            ops,
            durability: Durability::Os,
            epoch: self.inner.epoch,
        });
        submitted.map(|_| ())
    }
}
