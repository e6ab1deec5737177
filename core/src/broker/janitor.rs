//! Housekeeping: trimming what retention lets go, and queues that go with their last consumer.

use std::{
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use tokio::sync::mpsc;

use super::{Broker, Inner, Mode, Retention, Subscription, Topic};
use crate::{
    error::Result,
    id::{Millis, Offset, PartitionId},
    store::{Commit, Durability, Op},
};

/// How often retention by time is looked after.
const EVERY: Duration = Duration::from_mins(1);

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

    /// Starts the task; it ends with the broker.
    pub(super) fn start(&self, broker: &Arc<Inner>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        if self.0.set(sender).is_ok() {
            let closing = broker.closing.clone();
            let work = run(Arc::downgrade(broker), receiver);
            tokio::spawn(async move { closing.run_until_cancelled(work).await });
        }
    }
}

async fn run(broker: Weak<Inner>, mut unused: mpsc::UnboundedReceiver<Arc<Subscription>>) {
    let mut clock = tokio::time::interval(EVERY);
    loop {
        let subscription = tokio::select! {
            subscription = unused.recv() => subscription,
            _ = clock.tick() => None,
        };
        let Some(inner) = broker.upgrade() else {
            return;
        };
        let broker = Broker { inner };
        match subscription {
            Some(subscription) => broker.delete_if_unused(&subscription).await,
            None => broker.trim_by_time(Millis::now()).await,
        }
    }
}

impl Broker {
    /// Lets go of what is older than each topic's retention, settled or not.
    async fn trim_by_time(&self, now: Millis) {
        let topics: Vec<_> = self.inner.state.read().by_id.values().cloned().collect();
        for topic in topics {
            let Retention::Time { ms } = topic.retention() else {
                continue;
            };
            let oldest = Millis(now.0.saturating_sub_unsigned(ms));
            for partition in (0..topic.partition_count()).map(PartitionId) {
                if let Err(error) = self.trim_older(&topic, partition, oldest).await {
                    tracing::warn!(topic = %topic.name(), %partition, %error, "cannot trim");
                }
            }
        }
    }

    async fn trim_older(&self, topic: &Arc<Topic>, at: PartitionId, oldest: Millis) -> Result<()> {
        let partition = topic.partition(at)?;
        let (start, stable) = (partition.start(), partition.stable());
        let limit = crate::store::ReadLimit {
            bytes: 1,
            entries: 1,
        };
        let mut below = start;
        while below < stable {
            let entries = topic.store.read(partition.log, below, limit).await?;
            match entries.first() {
                Some(entry) if entry.appended < oldest && entry.end_offset() <= stable => {
                    below = entry.end_offset();
                }
                _ => break,
            }
        }
        if below == start {
            return Ok(());
        }
        topic.store.submit(Commit {
            ops: vec![Op::Trim {
                log: partition.log,
                below,
            }],
            durability: Durability::Os,
            epoch: self.inner.epoch,
        })?;
        partition.trim(below);
        for subscription in topic.subscriptions() {
            trim_subscription(&subscription, at, below);
        }
        Ok(())
    }
}

/// Retention by time moves floors: what was not settled is counted and told.
fn trim_subscription(subscription: &Subscription, partition: PartitionId, below: Offset) {
    let floor = subscription.floor(partition).unwrap_or(below);
    if subscription.mode() == Mode::Positional || floor >= below {
        return;
    }
    let lost = below.0 - floor.0;
    tracing::warn!(subscription = %subscription.name(), %partition, up_to = lost, "retention took messages that were not settled");
    subscription.vanish(partition, floor..below);
}

/// Under `settled` retention: a trim up to the lowest offset that a holder still needs, once that
/// is worth it.
pub(super) fn trim_op(topic: &Topic, at: PartitionId, step: u64) -> Option<Op> {
    let partition = settled_partition(topic, at)?;
    let holders = topic.subscriptions.read_recursive();
    let below = holders
        .values()
        .filter_map(|holder| holder.held(at))
        .min()?;
    trim_to(&partition, below, step)
}

fn settled_partition(topic: &Topic, at: PartitionId) -> Option<Arc<super::partition::Partition>> {
    (topic.retention() == Retention::Settled)
        .then(|| topic.partition(at).ok())
        .flatten()
}

fn trim_to(partition: &super::partition::Partition, below: Offset, step: u64) -> Option<Op> {
    let (start, end) = (partition.start(), partition.end());
    let worth = below.0 >= start.0 + step || (below > start && below == end);
    if !worth {
        return None;
    }
    partition.trim(below);
    Some(Op::Trim {
        log: partition.log,
        below,
    })
}
