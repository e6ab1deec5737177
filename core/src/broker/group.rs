//! Positional groups: floors that clients move (Kafka's OffsetCommit), over any number of topics.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use bytes::Bytes;

use super::{Broker, Confirm, Mode, Subscription, Topic, catalog, topics::cursor_drops};
use crate::{
    cursor::{Change, Cursor, Mark, encode_changes},
    error::{Error, ErrorKind, Result},
    id::{Millis, Offset, PartitionId, TopicId},
    store::{Commit, Durability, Op, Store},
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
        let now = Millis::now();
        let mut cursors = Vec::new();
        for offset in offsets {
            let topic = self.topic(namespace, &offset.topic);
            let topic = topic.ok_or_else(|| super::publish::no_topic(namespace, &offset.topic))?;
            topic.partition(offset.partition)?;
            let subscription = self.group_subscription(&topic, group).await?;
            let mark = Mark {
                leader_epoch: offset.leader_epoch,
                metadata: offset.metadata.clone(),
                at: now,
            };
            cursors.push(GroupCursor {
                topic,
                subscription,
                partition: offset.partition,
                changes: vec![Change::Seek(offset.offset), Change::Mark(mark)],
            });
        }
        self.commit_cursors(cursors)
    }

    /// The offsets that a group has committed, in order.
    pub fn group_offsets(&self, namespace: &str, group: &str) -> Vec<StoredOffset> {
        let subscriptions = self.subscriptions_of(namespace, group).into_iter();
        subscriptions
            .flat_map(|(topic, s)| stored(&topic, &s))
            .collect()
    }

    /// The offsets that a group has committed on one topic, in order.
    pub fn group_offsets_on(&self, topic: &Topic, group: &str) -> Vec<StoredOffset> {
        let subscription = topic.subscription(group);
        let subscription = subscription.filter(|each| each.mode() == Mode::Positional);
        subscription.map_or_else(Vec::new, |each| stored(topic, &each))
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
        let mut cursors = Vec::new();
        for (topic, partition) in partitions {
            let Some(topic) = self.topic(namespace, topic) else {
                continue;
            };
            let subscription = topic.subscription(group);
            let positional = subscription.filter(|s| s.mode() == Mode::Positional);
            cursors.extend(positional.map(|subscription| GroupCursor {
                topic,
                subscription,
                partition: *partition,
                changes: Vec::new(),
            }));
        }
        self.commit_cursors(cursors)?.wait().await
    }

    /// The names of positional groups that have committed something.
    pub fn groups(&self, namespace: &str) -> BTreeSet<Arc<str>> {
        let all = self.positional(namespace).into_iter();
        all.map(|(_, subscription)| subscription.name().clone())
            .collect()
    }

    /// The same, each with the time of its newest commit where there is one left.
    pub fn newest_commits(&self, namespace: &str) -> HashMap<Arc<str>, Option<Millis>> {
        let mut newest = HashMap::new();
        for (topic, subscription) in self.positional(namespace) {
            let committed = stored(&topic, &subscription).into_iter();
            let at: &mut Option<Millis> = newest.entry(subscription.name().clone()).or_default();
            *at = (*at).max(committed.map(|stored| stored.at).max());
        }
        newest
    }

    /// All positional subscriptions, each with its topic, in no order.
    fn positional(&self, namespace: &str) -> Vec<(Arc<Topic>, Arc<Subscription>)> {
        let topics = self.inner.state.read().all_of(namespace).into_iter();
        let of_topic = |topic: Arc<Topic>| {
            let subscriptions = topic.subscriptions().into_iter();
            subscriptions.map(move |subscription| (topic.clone(), subscription))
        };
        let all = topics.flat_map(of_topic);
        all.filter(|(_, subscription)| subscription.mode() == Mode::Positional)
            .collect()
    }

    /// Whether [`Broker::groups`] has a group of that name.
    pub fn has_group(&self, namespace: &str, group: &str) -> bool {
        let state = self.inner.state.read();
        let of_namespace = state.topics.get(namespace).into_iter();
        let mut topics = of_namespace.flat_map(HashMap::values);
        topics.any(|topic| {
            let subscription = topic.subscription(group);
            subscription.is_some_and(|s| s.mode() == Mode::Positional)
        })
    }

    /// Forgets a positional group on every topic, on disk when this returns; `false` where there was
    /// none.
    ///
    /// # Errors
    /// The store's. Once it has begun, the group is gone here all the same, and from the store later.
    pub async fn delete_group(&self, namespace: &str, group: &str) -> Result<bool> {
        self.delete_group_if(namespace, group, || Some(())).await
    }

    /// The same where `hold`, which is called once no subscription comes or goes any more, still agrees;
    /// `false` where it does not. What it returns is dropped when the group is gone from every topic in
    /// memory: a lock on who may commit, so that nobody does in between. It must not wait for anything
    /// that holds a topic or a subscription.
    ///
    /// Cancel-safe: the group is either there or gone, from the store later at the latest.
    ///
    /// # Errors
    /// As [`Broker::delete_group`]; before `hold` is called nothing has begun.
    pub async fn delete_group_if<H>(
        &self,
        namespace: &str,
        group: &str,
        hold: impl FnOnce() -> Option<H>,
    ) -> Result<bool> {
        let _admin = self.admin().await?;
        let Some(ops) = self.end_group(namespace, group, hold) else {
            return Ok(false);
        };
        self.commit_done(ops).await?;
        Ok(true)
    }

    /// What the store is to do for a group that is gone in memory; `None` where nothing went.
    fn end_group<H>(
        &self,
        namespace: &str,
        group: &str,
        hold: impl FnOnce() -> Option<H>,
    ) -> Option<Vec<Op>> {
        let _held = hold()?;
        let subscriptions = self.subscriptions_of(namespace, group);
        let mut ops = Vec::new();
        for (topic, subscription) in &subscriptions {
            topic.subscriptions.write().remove(subscription.name());
            subscription.end();
            if !topic.lives_in_memory() {
                let key = catalog::subscription(topic.id(), subscription.name());
                ops.push(catalog::remove(key));
                ops.extend(cursor_drops(subscription, topic));
            }
        }
        (!subscriptions.is_empty()).then_some(ops)
    }

    /// A group's subscriptions, each with its topic, by the topics' names.
    fn subscriptions_of(
        &self,
        namespace: &str,
        group: &str,
    ) -> Vec<(Arc<Topic>, Arc<Subscription>)> {
        let topics = self.inner.state.read().all_of(namespace).into_iter();
        let subscriptions = topics.filter_map(|topic| {
            let subscription = topic.subscription(group)?;
            let is_positional = subscription.mode() == Mode::Positional;
            is_positional.then_some((topic, subscription))
        });
        let mut found: Vec<_> = subscriptions.collect();
        found.sort_by(|(a, _), (b, _)| a.name().cmp(b.name()));
        found
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

    /// Commits cursors at once, those on disk and those in memory; nothing has changed where the
    /// store refuses.
    fn commit_cursors(&self, mut cursors: Vec<GroupCursor>) -> Result<Confirm> {
        let _turn = self.inner.group_commits.lock();
        // What came just before its group or topic was deleted went with it.
        cursors.retain(|cursor| !cursor.subscription.state.lock().deleted);
        let confirm = self.commit_by_place(&cursors, |cursor| Some(cursor.op()))?;
        cursors.iter().for_each(GroupCursor::apply);
        // Each partition once: a trim looks at all who hold it.
        cursors.sort_by_key(GroupCursor::place);
        cursors.dedup_by_key(|cursor| cursor.place());
        if let Err(error) = self.commit_by_place(&cursors, GroupCursor::trim_op) {
            let owe_trim = |cursor: &GroupCursor| cursor.topic.owe_trim(cursor.partition);
            cursors.iter().for_each(owe_trim);
            tracing::warn!(%error, "the space below a group's offsets is not given back yet");
        }
        Ok(confirm)
    }

    fn commit_by_place(
        &self,
        cursors: &[GroupCursor],
        op: impl Fn(&GroupCursor) -> Option<Op>,
    ) -> Result<Confirm> {
        let ops = |memory| {
            let there = |cursor: &&GroupCursor| cursor.topic.lives_in_memory() == memory;
            cursors.iter().filter(there).filter_map(&op).collect()
        };
        let commit = |ops| Commit {
            ops,
            durability: Durability::Disk,
            epoch: self.inner.epoch,
        };
        let (on_disk, in_memory): (Vec<_>, Vec<_>) = (ops(false), ops(true));
        let mut confirm = Confirm::ready();
        if !on_disk.is_empty() {
            let submitted = self.inner.store.submit(commit(on_disk))?;
            confirm = Confirm::durable(self.inner.store.clone(), submitted.seq, Durability::Disk);
        }
        if !in_memory.is_empty() {
            self.inner.memory.submit(commit(in_memory))?;
        }
        Ok(confirm)
    }
}

/// A group's cursor on one partition, as it is to become.
struct GroupCursor {
    topic: Arc<Topic>,
    subscription: Arc<Subscription>,
    partition: PartitionId,
    /// None take back what was committed before.
    changes: Vec<Change>,
}

impl GroupCursor {
    fn op(&self) -> Op {
        let cursor = self.subscription.cursor_id(self.partition);
        if self.changes.is_empty() {
            return Op::DropCursor { cursor };
        }
        Op::Cursor {
            cursor,
            change: encode_changes(&self.changes),
            reset: true,
        }
    }

    fn apply(&self) {
        let mut state = self.subscription.state.lock();
        if self.changes.is_empty() {
            state.dispatcher.unmark(self.partition);
        } else {
            state.dispatcher.mark(self.partition, &self.changes);
        }
        self.subscription.update_held(&state, self.partition);
    }

    fn place(&self) -> (TopicId, PartitionId) {
        (self.topic.id(), self.partition)
    }

    fn trim_op(&self) -> Option<Op> {
        super::janitor::trim_op(&self.topic, self.partition, 1)
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
