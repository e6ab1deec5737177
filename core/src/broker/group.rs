//! Positional groups: floors that clients move (Kafka's OffsetCommit), over any number of topics.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;

use super::{Broker, Confirm, Mode, Subscription, Topic};
use crate::{
    cursor::{Change, Cursor, Mark, encode_changes},
    error::{Error, ErrorKind, Result},
    id::{Millis, Offset, PartitionId},
    store::{Commit, Durability, Op},
};

/// A group's next offset on a partition, with the client's note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupOffset {
    /// The topic's name.
    pub topic: String,
    /// The partition.
    pub partition: PartitionId,
    /// The first message that is not done.
    pub offset: Offset,
    /// The leader epoch that the client saw, or -1.
    pub leader_epoch: i32,
    /// The client's own words; kept as they are.
    pub metadata: Bytes,
}

/// A stored group offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredOffset {
    /// What was committed.
    pub offset: GroupOffset,
    /// When.
    pub at: Millis,
}

impl Broker {
    /// Commits offsets of a group in one commit; they are on disk when the confirm resolves. The
    /// group's subscriptions come into being with their first commit.
    ///
    /// # Errors
    /// `NotFound` for a topic or partition that does not exist, `Conflict` where the name is that
    /// of a lease subscription, and the store's. Nothing is committed then.
    pub async fn group_commit(
        &self,
        namespace: &str,
        group: &str,
        offsets: &[GroupOffset],
    ) -> Result<Confirm> {
        let mut ops = Vec::new();
        let mut applied = Vec::new();
        for offset in offsets {
            let topic = self.topic(namespace, &offset.topic);
            let topic = topic.ok_or_else(|| super::publish::no_topic(namespace, &offset.topic))?;
            topic.partition(offset.partition)?;
            let subscription = self.group_subscription(&topic, group).await?;
            applied.push((topic, subscription, offset));
        }
        let now = Millis::now();
        let mut memory = Vec::new();
        for (topic, subscription, offset) in &applied {
            let changes = [
                Change::Seek(offset.offset),
                Change::Mark(Mark {
                    leader_epoch: offset.leader_epoch,
                    metadata: offset.metadata.clone(),
                    at: now,
                }),
            ];
            let op = Op::Cursor {
                cursor: subscription.cursor_id(offset.partition),
                change: encode_changes(&changes),
                reset: true,
            };
            let to = if topic.lives_in_memory() {
                &mut memory
            } else {
                &mut ops
            };
            to.push(op);
            let mut state = subscription.state.lock();
            state.dispatcher.mark(offset.partition, &changes);
            subscription.update_held(&state, offset.partition);
            drop(state);
            to.extend(super::janitor::trim_op(topic, offset.partition, 1));
        }
        self.commit_groups(memory, ops)
    }

    /// The offsets that a group has committed, in order.
    pub fn group_offsets(&self, namespace: &str, group: &str) -> Vec<StoredOffset> {
        let mut offsets = Vec::new();
        for topic in self.topics(namespace) {
            let subscription = topic.subscription(group);
            let positional = subscription.filter(|s| s.mode() == Mode::Positional);
            offsets.extend(positional.iter().flat_map(|s| stored(&topic, s)));
        }
        offsets
    }

    /// Takes back what a group has committed on partitions, as if it never had; on disk when this
    /// returns. What it has not committed, or is not there, is passed over.
    ///
    /// # Errors
    /// The store's.
    pub async fn delete_group_offsets(
        &self,
        namespace: &str,
        group: &str,
        partitions: &[(String, PartitionId)],
    ) -> Result<()> {
        let (mut memory, mut ops) = (Vec::new(), Vec::new());
        for (topic, partition) in partitions {
            let Some(topic) = self.topic(namespace, topic) else {
                continue;
            };
            let subscription = topic.subscription(group);
            let Some(subscription) = subscription.filter(|s| s.mode() == Mode::Positional) else {
                continue;
            };
            let mut state = subscription.state.lock();
            state.dispatcher.unmark(*partition);
            subscription.update_held(&state, *partition);
            let cursor = subscription.cursor_id(*partition);
            let to = if topic.lives_in_memory() {
                &mut memory
            } else {
                &mut ops
            };
            to.push(Op::DropCursor { cursor });
        }
        self.commit_groups(memory, ops)?.wait().await
    }

    /// The names of positional groups that have committed something.
    pub fn groups(&self, namespace: &str) -> BTreeSet<Arc<str>> {
        let subscriptions = self
            .topics(namespace)
            .into_iter()
            .flat_map(|t| t.subscriptions());
        subscriptions
            .filter(|subscription| subscription.mode() == Mode::Positional)
            .map(|subscription| subscription.name().clone())
            .collect()
    }

    /// Forgets a positional group on every topic; `false` where there was none.
    ///
    /// # Errors
    /// The store's.
    pub async fn delete_group(&self, namespace: &str, group: &str) -> Result<bool> {
        let _admin = self.admin().await?;
        let mut found = false;
        for topic in self.topics(namespace) {
            let subscription = topic.subscription(group);
            if let Some(subscription) = subscription.filter(|s| s.mode() == Mode::Positional) {
                self.remove_subscription(&topic, &subscription).await?;
                found = true;
            }
        }
        Ok(found)
    }

    async fn group_subscription(
        &self,
        topic: &Arc<Topic>,
        group: &str,
    ) -> Result<Arc<Subscription>> {
        match topic.subscription(group) {
            Some(subscription) if subscription.mode() == Mode::Positional => Ok(subscription),
            Some(subscription) => {
                let mode = subscription.mode();
                let message = format!(
                    "`{group}` is {mode:?} on topic `{}`; it takes no offsets",
                    topic.name()
                );
                Err(Error::new(ErrorKind::Conflict, "commit offsets", message))
            }
            None => {
                let start = crate::driver::StartAt::Earliest;
                self.ensure_subscription(topic, group, Mode::Positional, start)
                    .await
            }
        }
    }

    fn commit_groups(&self, memory: Vec<Op>, ops: Vec<Op>) -> Result<Confirm> {
        let commit = |ops| Commit {
            ops,
            durability: Durability::Disk,
            epoch: self.inner.epoch,
        };
        if !memory.is_empty() {
            use crate::store::Store;
            self.inner.memory.submit(commit(memory))?;
        }
        if ops.is_empty() {
            return Ok(Confirm::ready());
        }
        let submitted = self.inner.store.submit(commit(ops))?;
        let store = self.inner.store.clone();
        Ok(Confirm::durable(store, submitted.seq, Durability::Disk))
    }
}

fn stored(topic: &Topic, subscription: &Subscription) -> Vec<StoredOffset> {
    let state = subscription.state.lock();
    let partitions = (0..topic.partition_count()).map(PartitionId);
    let marked = partitions.filter_map(|partition| {
        let cursor: &Cursor = state.dispatcher.cursor(partition)?;
        let mark = cursor.mark()?;
        Some(StoredOffset {
            offset: GroupOffset {
                topic: topic.name().to_string(),
                partition,
                offset: cursor.floor(),
                leader_epoch: mark.leader_epoch,
                metadata: mark.metadata.clone(),
            },
            at: mark.at,
        })
    });
    marked.collect()
}
