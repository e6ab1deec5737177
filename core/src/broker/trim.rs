//! Taking the beginning of a log away because somebody asks for it (Kafka's DeleteRecords).

use std::sync::Arc;

use super::{Broker, Retention, Topic, partition::Partition};
use crate::{
    compaction::Beyond,
    error::{Error, ErrorKind, Result},
    id::{Offset, PartitionId},
    store::{Commit, Durability, Op},
};

impl Broker {
    /// Takes what lies below `below` out of a partition, for every reader and subscription, settled
    /// or not; on disk when this returns. `None` is the stable end. Returns where the log begins now.
    ///
    /// # Errors
    /// `NotFound` where there is no such partition, `Invalid` beyond its stable end, `Denied` where
    /// the topic's retention promises that nothing goes this way, and the store's.
    pub async fn trim(
        &self,
        topic: &Arc<Topic>,
        at: PartitionId,
        below: Option<Offset>,
    ) -> Result<Offset> {
        let partition = topic.partition(at)?;
        let stable = partition.stable();
        let below = below.unwrap_or(stable);
        if below > stable {
            let message = format!("offset {below} is beyond {stable}, the end of {at}");
            return Err(Error::new(ErrorKind::Invalid, "trim", message));
        }
        if !gives_way(topic.retention()) {
            let (name, retention) = (topic.name(), topic.retention());
            let message =
                format!("topic `{name}` keeps `{retention}`; only what limits keep can be trimmed");
            return Err(Error::new(ErrorKind::Denied, "trim", message));
        }
        if below > partition.start() {
            self.commit_trim(topic, (at, &partition), below).await?;
        }
        Ok(partition.start())
    }

    async fn commit_trim(
        &self,
        topic: &Topic,
        (at, partition): (PartitionId, &Partition),
        below: Offset,
    ) -> Result<()> {
        let _admin = self.turn().await;
        if topic.is_gone() {
            let message = format!("topic `{}` was deleted", topic.name());
            return Err(Error::new(ErrorKind::NotFound, "trim", message));
        }
        let log = partition.log;
        let submitted = topic.store.submit(Commit {
            ops: vec![Op::Trim { log, below }],
            durability: Durability::Disk,
            epoch: self.inner.epoch,
        })?;
        // The store reads from there on; whoever asked may be gone before the disk has it.
        topic.start_at(at, partition, below);
        topic.store.durable(submitted.seq, Durability::Disk).await
    }
}

/// Whether a retention lets messages go that somebody has not settled and nothing has replaced.
fn gives_way(retention: Retention) -> bool {
    match retention {
        Retention::Settled => false,
        Retention::Compact(policy) => policy.beyond == Beyond::Goes,
        _ => true,
    }
}

impl Topic {
    /// A log begins at `below` now: its readers and subscriptions are told.
    pub(super) fn start_at(&self, at: PartitionId, partition: &Partition, below: Offset) {
        partition.trim(below);
        for subscription in self.subscriptions() {
            subscription.lose_below(at, below);
        }
    }
}
