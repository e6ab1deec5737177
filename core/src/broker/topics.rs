//! Creating, growing and deleting topics.

use std::{collections::HashMap, ops::Range, sync::Arc};

use super::{
    Broker, Lifetime, Retention, State, Subscription, Topic, TopicSpec,
    catalog::{self, TopicRecord},
    partition::Partition,
    publish::no_topic,
};
use crate::{
    cursor::Cursor,
    error::{Error, ErrorKind, Result},
    id::{LogId, Offset, PartitionId, TopicId},
    producer::Producers,
    router::{Removed, Router},
    store::{Commit, Durability, Op, Store},
};

impl State {
    pub(super) fn topic(&self, namespace: &str, name: &str) -> Option<Arc<Topic>> {
        self.topics.get(namespace)?.get(name).cloned()
    }

    pub(super) fn all_of(&self, namespace: &str) -> Vec<Arc<Topic>> {
        let of_namespace = self.topics.get(namespace).into_iter();
        of_namespace.flat_map(HashMap::values).cloned().collect()
    }

    pub(super) fn router(&self, namespace: &str) -> Result<&Router> {
        self.routers.get(namespace).ok_or_else(|| {
            let message = format!("no namespace `{namespace}`");
            Error::new(ErrorKind::NotFound, "find namespace", message)
        })
    }

    pub(super) fn insert(&mut self, topic: &Arc<Topic>) {
        self.by_id.insert(topic.id(), topic.clone());
        let namespace = self.topics.entry(topic.namespace().clone()).or_default();
        namespace.insert(topic.name().clone(), topic.clone());
    }

    fn remove(&mut self, topic: &Topic) {
        self.by_id.remove(&topic.id());
        if let Some(namespace) = self.topics.get_mut(topic.namespace()) {
            namespace.remove(topic.name());
        }
    }
}

impl Broker {
    /// The topic of that name.
    pub fn topic(&self, namespace: &str, name: &str) -> Option<Arc<Topic>> {
        self.inner.state.read().topic(namespace, name)
    }

    /// The topic of that identity.
    pub fn topic_by_id(&self, id: TopicId) -> Option<Arc<Topic>> {
        self.inner.state.read().by_id.get(&id).cloned()
    }

    /// All topics of a namespace, by name.
    pub fn topics(&self, namespace: &str) -> Vec<Arc<Topic>> {
        let mut topics = self.inner.state.read().all_of(namespace);
        topics.sort_by(|a, b| a.name().cmp(b.name()));
        topics
    }

    /// Creates a topic; it is on disk when this returns.
    ///
    /// # Errors
    /// `Exists` where the name is taken, `Invalid` for a bad name or number of partitions,
    /// `TooLarge` at the limits of topics and of all partitions, and the store's.
    pub async fn create_topic(&self, spec: TopicSpec) -> Result<Arc<Topic>> {
        let turn = self.admin().await?;
        if self.topic(&spec.namespace, &spec.name).is_some() {
            let message = format!("topic `{}` exists", spec.name);
            return Err(Error::new(ErrorKind::Exists, "create topic", message));
        }
        let (topic, op) = self.new_topic(spec)?;
        let inner = self.inner.clone();
        let insert = move || {
            inner.state.write().insert(&topic);
            topic
        };
        self.bring_about(turn, op.into_iter().collect(), insert)
            .await
    }

    /// The topic of that name; created with the defaults where there is none.
    ///
    /// # Errors
    /// As [`Broker::create_topic`].
    pub async fn ensure_topic(&self, namespace: &str, name: &str) -> Result<Arc<Topic>> {
        if let Some(topic) = self.topic(namespace, name) {
            return Ok(topic);
        }
        match self.create_topic(TopicSpec::new(namespace, name)).await {
            Err(error) if error.kind() == ErrorKind::Exists => {
                self.topic(namespace, name).ok_or(error)
            }
            created => created,
        }
    }

    /// Deletes a topic, its subscriptions and the bindings to it. A topic of the same name that is
    /// created later inherits nothing.
    ///
    /// # Errors
    /// `NotFound` where there is none, and the store's.
    pub async fn delete_topic(&self, namespace: &str, name: &str) -> Result<()> {
        let _admin = self.admin().await?;
        let topic = self
            .topic(namespace, name)
            .ok_or_else(|| no_topic(namespace, name))?;
        self.delete_locked(&topic).await
    }

    /// Adds partitions behind those that are there.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` where the topic has as many or more already, `TooLarge` at the limits of all
    /// partitions and cursors, and the store's.
    pub async fn grow_topic(&self, namespace: &str, name: &str, partitions: u32) -> Result<()> {
        let turn = self.admin().await?;
        let topic = self
            .topic(namespace, name)
            .ok_or_else(|| no_topic(namespace, name))?;
        let (now, mut spec) = (topic.partition_count(), topic.spec());
        if partitions <= now {
            let message = format!("topic `{name}` has {now} partitions; {partitions} is no growth");
            return Err(Error::new(ErrorKind::Invalid, "grow topic", message));
        }
        spec.partitions = partitions;
        spec.check(self.limits().partitions)?;
        let (more, subscriptions) = (partitions - now, topic.subscriptions.read().len());
        self.check_partitions(more, "grow topic")?;
        self.check_cursors(more as usize * subscriptions, "grow topic")?;
        let ops = record_ops(&topic, &spec);
        let grow = move || topic.grow(now..partitions);
        self.bring_about(turn, ops, grow).await
    }

    /// Changes what a topic keeps: see [`Broker::alter_topic`].
    ///
    /// # Errors
    /// `NotFound`, and the store's.
    pub async fn set_retention(
        &self,
        namespace: &str,
        name: &str,
        retention: Retention,
    ) -> Result<()> {
        let change = |spec: &mut TopicSpec| {
            spec.retention = retention;
            Ok(())
        };
        self.alter_topic(namespace, name, change).await
    }

    /// Changes a topic's retention, its limit of message size, and notes, whole or not at all;
    /// nothing else of what `change` does to the specification holds. It is on disk when this
    /// returns, and trims from the next round of housekeeping on.
    ///
    /// # Errors
    /// `NotFound`, what `change` refuses, and the store's.
    pub async fn alter_topic<E: From<Error>>(
        &self,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut TopicSpec) -> Result<(), E>,
    ) -> Result<(), E> {
        let turn = self.admin().await?;
        let topic = self
            .topic(namespace, name)
            .ok_or_else(|| no_topic(namespace, name))?;
        let before = topic.spec();
        let mut changed = before.clone();
        change(&mut changed)?;
        let spec = TopicSpec {
            retention: changed.retention,
            message_bytes: changed.message_bytes,
            notes: changed.notes,
            ..before.clone()
        };
        if spec == before {
            return Ok(());
        }
        let ops = record_ops(&topic, &spec);
        let set = move || topic.set_spec(spec);
        Ok(self.bring_about(turn, ops, set).await?)
    }

    /// A topic that is in no map yet, and what makes it durable.
    pub(super) fn new_topic(&self, spec: TopicSpec) -> Result<(Arc<Topic>, Option<Op>)> {
        spec.check(self.limits().partitions)?;
        if self.inner.state.read().by_id.len() >= self.limits().topics {
            let message = format!("{} topics exist, which is the limit", self.limits().topics);
            return Err(Error::new(ErrorKind::TooLarge, "create topic", message));
        }
        self.check_partitions(spec.partitions, "create topic")?;
        let id = TopicId::random();
        let permanent = spec.lifetime == Lifetime::Permanent;
        let op = permanent.then(|| {
            let key = catalog::named(catalog::TOPICS, &spec.namespace, &spec.name);
            let spec = spec.clone();
            catalog::put(key, &TopicRecord { id, spec })
        });
        let partitions = empty_partitions(id, 0..spec.partitions).collect();
        let topic = Arc::new(Topic::new(
            id,
            spec,
            self.store_for(permanent),
            partitions,
            &self.inner.partitions,
        ));
        Ok((topic, op))
    }

    fn check_partitions(&self, more: u32, operation: &'static str) -> Result<()> {
        let (count, limit) = (self.inner.partitions.count(), self.limits().all_partitions);
        if count.saturating_add(more as usize) <= limit {
            return Ok(());
        }
        let message = format!(
            "all topics together have {count} partitions; with {more} more they would pass the limit of {limit}"
        );
        Err(Error::new(ErrorKind::TooLarge, operation, message))
    }

    /// Whether there is room for the cursors of a subscription, or of partitions that are added.
    pub(super) fn check_cursors(&self, more: usize, operation: &'static str) -> Result<()> {
        let (count, limit) = (self.inner.cursors.count(), self.limits().cursors);
        if count.saturating_add(more) <= limit {
            return Ok(());
        }
        let message = format!(
            "all subscriptions together have {count} cursors, one for each partition; with {more} more \
             they would pass the limit of {limit}"
        );
        Err(Error::new(ErrorKind::TooLarge, operation, message))
    }

    pub(super) async fn delete_locked(&self, topic: &Arc<Topic>) -> Result<()> {
        let removed = {
            let mut state = self.inner.state.write();
            let router = state.routers.get_mut(topic.namespace());
            let removed = router.map(|router| router.unbind_topic(topic.name()));
            state.remove(topic);
            removed.unwrap_or_default()
        };
        topic.gone.cancel();
        self.inner.timekeeper.disarm(topic.id());
        self.disown(topic);
        let subscriptions = topic.subscriptions();
        subscriptions
            .iter()
            .for_each(|subscription| subscription.end());
        let mut ops = self.removal_ops(topic.namespace(), &removed);
        if topic.lives_in_memory() {
            self.drop_from_memory(topic, &subscriptions)?;
        } else {
            ops.push(catalog::remove(catalog::named(
                catalog::TOPICS,
                topic.namespace(),
                topic.name(),
            )));
            ops.extend(drop_ops(topic, &subscriptions));
        }
        self.commit_done(ops).await
    }

    /// Keys of exchanges and bindings that are gone.
    pub(super) fn removal_ops(&self, namespace: &str, removed: &Removed) -> Vec<Op> {
        let exchanges = removed.exchanges.iter().filter(|exchange| exchange.durable);
        let exchanges =
            exchanges.map(|exchange| catalog::named(catalog::EXCHANGES, namespace, &exchange.name));
        let bindings = removed
            .bindings
            .iter()
            .map(|binding| super::exchange::binding_key(namespace, binding));
        exchanges.chain(bindings).map(catalog::remove).collect()
    }

    pub(super) fn store_for(&self, permanent: bool) -> Arc<dyn Store> {
        if permanent {
            self.inner.store.clone()
        } else {
            self.inner.memory.clone()
        }
    }

    fn drop_from_memory(&self, topic: &Topic, subscriptions: &[Arc<Subscription>]) -> Result<()> {
        let commit = Commit {
            ops: drop_ops(topic, subscriptions),
            durability: Durability::Memory,
            epoch: self.inner.epoch,
        };
        self.inner.memory.submit(commit).map(|_| ())
    }
}

/// What keeps a topic's specification, where anything of it is kept.
fn record_ops(topic: &Topic, spec: &TopicSpec) -> Vec<Op> {
    if topic.lives_in_memory() {
        return Vec::new();
    }
    let record = TopicRecord {
        id: topic.id(),
        spec: spec.clone(),
    };
    let key = catalog::named(catalog::TOPICS, topic.namespace(), topic.name());
    vec![catalog::put(key, &record)]
}

/// Ends a topic's logs for whoever appends; removes them, cursors, and the keys of both.
fn drop_ops(topic: &Topic, subscriptions: &[Arc<Subscription>]) -> Vec<Op> {
    let partitions = topic.partitions.read().clone();
    let mut ops = Vec::new();
    for partition in &partitions {
        let (log, producers) = (partition.log, partition.close());
        let keys = producers.into_iter().map(|id| catalog::producer(log, id));
        ops.extend(keys.map(catalog::remove));
        ops.push(Op::DropLog { log });
    }
    let compacted = partitions
        .iter()
        .filter(|partition| partition.compacted.lock().is_some());
    ops.extend(compacted.map(|partition| catalog::remove(catalog::compacted(partition.log))));
    for (bucket, number) in topic.wheel.lock().close() {
        ops.extend(catalog::drop_bucket(topic.id(), bucket, number));
    }
    for subscription in subscriptions {
        ops.push(catalog::remove(catalog::subscription(
            topic.id(),
            subscription.name(),
        )));
        ops.extend(cursor_drops(subscription, topic));
    }
    ops
}

pub(super) fn cursor_drops(subscription: &Subscription, topic: &Topic) -> Vec<Op> {
    let partitions = (0..topic.partition_count()).map(PartitionId);
    partitions
        .map(|partition| Op::DropCursor {
            cursor: subscription.cursor_id(partition),
        })
        .collect()
}

impl Topic {
    /// Adds partitions, and their cursors to its subscriptions.
    fn grow(&self, numbers: Range<u32>) {
        for subscription in self.subscriptions() {
            numbers.clone().for_each(|_| {
                // Without a horizon: none is on disk yet.
                subscription.add_partition(Cursor::default());
            });
        }
        let new = empty_partitions(self.id(), numbers.clone());
        self.partitions.write().extend(new);
        self.share.add(numbers.len());
        self.set_partitions(numbers.end);
        self.grown.notify_waiters();
    }
}

fn empty_partitions(topic: TopicId, numbers: Range<u32>) -> impl Iterator<Item = Arc<Partition>> {
    numbers.map(move |number| {
        let log = LogId {
            topic,
            partition: PartitionId(number),
        };
        let (start, end) = (Offset::ZERO, Offset::ZERO);
        Arc::new(Partition::new(log, start, end, Producers::default()))
    })
}
