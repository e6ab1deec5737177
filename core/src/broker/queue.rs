//! Queues: the `lease` subscription named `queue` on the topic of their name.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    Broker, Lifetime, Mode, Origin, QUEUE, Retention, Subscription, Topic, TopicSpec,
    catalog::{self, SubscriptionRecord},
    equivalent::check_equivalent,
    topics::cursor_drops,
};
use crate::{
    cursor::{Change, Cursor, encode_changes},
    dispatcher::OwnerId,
    driver::StartAt,
    error::{Error, ErrorKind, Result},
    id::{Offset, PartitionId, SubscriptionId},
    router::Arguments,
    store::{Durability, Op},
};

/// A queue as `queue.declare` asks for it.
#[derive(Debug, Clone)]
pub struct QueueSpec {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// Whether it survives a restart.
    pub durable: bool,
    /// The connection that alone may use it, and with which it goes.
    pub exclusive: Option<OwnerId>,
    /// Whether it goes with its last consumer.
    pub auto_delete: bool,
    /// The arguments, kept verbatim for the check that a second declaration is the same.
    pub arguments: Arguments,
    /// How long it may go unused before it is deleted: without consumers, declarations, passive
    /// ones too, and messages got singly. A restart of the broker counts as use.
    pub unused_for: Option<Duration>,
    /// What its topic keeps, where the declaration creates that; `settled` where it is silent.
    pub retention: Option<Retention>,
}

impl QueueSpec {
    /// A durable queue for everybody that stays until it is deleted.
    #[must_use]
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
            durable: true,
            exclusive: None,
            auto_delete: false,
            arguments: Vec::new(),
            unused_for: None,
            retention: None,
        }
    }
}

/// What a queue was declared as; kept with its subscription.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct QueueDeclaration {
    pub(super) durable: bool,
    #[serde(skip)]
    pub(super) exclusive: Option<OwnerId>,
    /// Whether it went with the connection that had it for itself, had the broker gone on.
    #[serde(default)]
    pub(super) of_connection: bool,
    pub(super) auto_delete: bool,
    #[serde(with = "crate::router::persist::arguments")]
    pub(super) arguments: Arguments,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) unused_for: Option<Duration>,
}

/// A queue as it is now.
#[derive(Debug, Clone)]
pub struct QueueInfo {
    /// Its subscription.
    pub subscription: Arc<Subscription>,
    /// Messages that wait.
    pub ready: u64,
    /// Consumers.
    pub consumers: usize,
    /// Whether this declaration created it.
    pub created: bool,
}

impl Broker {
    /// Declares a queue; it is on disk when this returns, where it is durable. On a topic that is
    /// there it starts at the earliest message.
    ///
    /// # Errors
    /// `Exists` where one of that name was declared otherwise, `Denied` where another connection
    /// has it for itself, `Invalid` for a bad name, and the store's.
    pub async fn declare_queue(&self, spec: QueueSpec) -> Result<QueueInfo> {
        let turn = self.admin().await?;
        let topic = self.topic(&spec.namespace, &spec.name);
        if let Some(subscription) = topic.as_ref().and_then(|topic| topic.subscription(QUEUE)) {
            check_equivalent(&subscription, &spec)?;
            subscription.used();
            return Ok(info(subscription, false));
        }
        let declaration = QueueDeclaration {
            durable: spec.durable,
            exclusive: spec.exclusive,
            of_connection: spec.exclusive.is_some(),
            auto_delete: spec.auto_delete,
            arguments: spec.arguments.clone(),
            unused_for: spec.unused_for,
        };
        let (topic, op) = match topic {
            Some(topic) => (topic, None),
            None => self.new_topic(topic_spec(&spec))?,
        };
        self.check_cursors(topic.partition_count() as usize, "declare queue")?;
        let mut ops: Vec<_> = op.into_iter().collect();
        let subscription = self.new_subscription(
            &topic,
            (QUEUE, Mode::Lease),
            Some(declaration),
            &floors_at_start(&topic),
            &mut ops,
        );
        let inner = self.inner.clone();
        let insert = move || {
            inner.state.write().insert(&topic);
            topic.add(&subscription);
            if let Some(owner) = spec.exclusive {
                inner.owned.add(owner, topic.id());
            }
            subscription.used();
            info(subscription, true)
        };
        self.bring_about(turn, ops, insert).await
    }

    /// Whether a declaration may find what is there: nothing, or a queue that was declared the same.
    ///
    /// # Errors
    /// As [`Broker::declare_queue`].
    pub fn check_queue(&self, spec: &QueueSpec) -> Result<()> {
        let topic = self.topic(&spec.namespace, &spec.name);
        let subscription = topic.and_then(|topic| topic.subscription(QUEUE));
        subscription.map_or(Ok(()), |found| check_equivalent(&found, spec))
    }

    /// A queue that is there.
    ///
    /// # Errors
    /// `NotFound`, and `Denied` where another connection than `owner` has it for itself.
    pub fn queue(
        &self,
        namespace: &str,
        name: &str,
        owner: Option<OwnerId>,
    ) -> Result<Arc<Subscription>> {
        let topic = self.topic(namespace, name);
        let subscription = topic.and_then(|topic| topic.subscription(QUEUE));
        let subscription = subscription.ok_or_else(|| no_queue(namespace, name))?;
        check_owner(&subscription, namespace, name, owner)?;
        Ok(subscription)
    }

    /// Deletes a queue: the subscription, and the topic where `queue.declare` created that.
    /// Returns how many messages waited.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` where it is used or not empty and should not be, and the store's.
    pub async fn delete_queue(
        &self,
        namespace: &str,
        name: &str,
        if_unused: bool,
        if_empty: bool,
    ) -> Result<u64> {
        let _admin = self.admin().await?;
        let subscription = self.queue(namespace, name, self.owner_of(namespace, name))?;
        let counts = subscription.counts();
        let conflict = |what| {
            let text = format!("queue '{name}' in vhost '{namespace}' {what}");
            Err(Error::new(ErrorKind::Conflict, "delete queue", text))
        };
        if if_unused && counts.consumers > 0 {
            return conflict("in use");
        }
        if if_empty && counts.ready > 0 {
            return conflict("not empty");
        }
        self.delete_queue_locked(&subscription).await?;
        Ok(counts.ready)
    }

    /// Deletes a queue that goes with its last consumer, if that was it.
    pub(super) async fn delete_if_unused(&self, subscription: &Arc<Subscription>) {
        if !is_unused(subscription) {
            return;
        }
        let _admin = self.turn().await;
        if !is_unused(subscription) || subscription.gone.is_cancelled() {
            return;
        }
        if let Err(error) = self.delete_queue_locked(subscription).await {
            tracing::error!(%error, "an unused queue is not deleted");
        }
    }

    /// A subscription that is in no map yet; pushes what makes it durable.
    pub(super) fn new_subscription(
        &self,
        topic: &Arc<Topic>,
        (name, mode): (&str, Mode),
        queue: Option<QueueDeclaration>,
        floors: &[Offset],
        ops: &mut Vec<Op>,
    ) -> Arc<Subscription> {
        let cursors = cursors_at(topic, mode, floors);
        let id = SubscriptionId::random();
        let around = (topic, &self.inner);
        let new = Subscription::new(id, name, mode, around, queue, cursors.clone());
        if !topic.lives_in_memory() {
            let record = SubscriptionRecord {
                id,
                topic: topic.id(),
                name: name.into(),
                mode,
                queue: new.queue.clone(),
            };
            ops.push(catalog::put(
                catalog::subscription(topic.id(), name),
                &record,
            ));
            ops.extend(
                cursors
                    .iter()
                    .enumerate()
                    .map(|(index, cursor)| Op::Cursor {
                        cursor: new.cursor_id(PartitionId(index as u32)),
                        change: encode_changes(&cursor.snapshot()),
                        reset: true,
                    }),
            );
        }
        new
    }

    /// The subscription of that name and mode on a topic; created at `start` where there is none.
    ///
    /// # Errors
    /// `Conflict` where one of that name has another mode, on this topic or another of the
    /// namespace; `Unsupported` for `keyed`; `TooLarge` for a name above its limit, and for one
    /// subscription more than a topic may have; and the store's.
    pub async fn ensure_subscription(
        &self,
        topic: &Arc<Topic>,
        name: &str,
        mode: Mode,
        start: StartAt,
    ) -> Result<Arc<Subscription>> {
        if mode == Mode::Keyed {
            let message = "mode `keyed` is not implemented yet; use lease or positional";
            return Err(Error::new(ErrorKind::Unsupported, "subscribe", message));
        }
        let turn = self.admin().await?;
        if let Some(subscription) = topic.subscription(name)
            && subscription.mode() == mode
        {
            return Ok(subscription);
        }
        self.check_mode(topic.namespace(), name, mode)?;
        self.check_new_subscription(topic, name)?;
        let mut floors = Vec::new();
        for partition in (0..topic.partition_count()).map(PartitionId) {
            floors.push(self.resolve(topic, partition, start).await?);
        }
        let mut ops = Vec::new();
        let queue = (name == QUEUE).then(|| QueueDeclaration {
            durable: true,
            exclusive: None,
            of_connection: false,
            auto_delete: false,
            arguments: Vec::new(),
            unused_for: None,
        });
        let new = self.new_subscription(topic, (name, mode), queue, &floors, &mut ops);
        let topic = topic.clone();
        let insert = move || {
            topic.add(&new);
            new
        };
        self.bring_about(turn, ops, insert).await
    }

    fn check_new_subscription(&self, topic: &Topic, name: &str) -> Result<()> {
        let (octets, count) = (name.len(), topic.subscriptions.read().len());
        let limits = self.limits();
        let message = if octets > limits.subscription_name {
            let limit = limits.subscription_name;
            format!("a subscription's name has up to {limit} octets, this one {octets}")
        } else if count >= limits.subscriptions {
            let name = topic.name();
            format!("topic `{name}` has {count} subscriptions, which is the limit")
        } else {
            return self.check_cursors(topic.partition_count() as usize, "subscribe");
        };
        Err(Error::new(ErrorKind::TooLarge, "subscribe", message))
    }

    /// A group has one mode across all topics.
    pub(super) fn check_mode(&self, namespace: &str, name: &str, mode: Mode) -> Result<()> {
        if name == QUEUE && mode != Mode::Lease {
            let message = format!("`{QUEUE}` is the name of every topic's queue, which is Lease");
            return Err(Error::new(ErrorKind::Conflict, "subscribe", message));
        }
        let topics = self.inner.state.read().all_of(namespace);
        let other = topics.into_iter().find_map(|topic| {
            let subscription = topic.subscription(name)?;
            (subscription.mode() != mode).then(|| (topic, subscription.mode()))
        });
        other.map_or(Ok(()), |(topic, has)| {
            let message = format!(
                "`{name}` is {has:?} on topic `{}`, not {mode:?}",
                topic.name()
            );
            Err(Error::new(ErrorKind::Conflict, "subscribe", message))
        })
    }

    fn owner_of(&self, namespace: &str, name: &str) -> Option<OwnerId> {
        self.topic(namespace, name)?
            .subscription(QUEUE)?
            .exclusive()
    }

    pub(super) async fn delete_queue_locked(&self, subscription: &Arc<Subscription>) -> Result<()> {
        let topic = subscription.topic()?;
        if topic.spec().origin == Origin::Queue {
            return self.delete_locked(&topic).await;
        }
        self.remove_subscription(&topic, subscription).await
    }

    /// Removes a subscription, and for a queue the bindings to its name, from a topic that stays.
    pub(super) async fn remove_subscription(
        &self,
        topic: &Arc<Topic>,
        subscription: &Arc<Subscription>,
    ) -> Result<()> {
        if &**subscription.name() == QUEUE {
            self.disown(topic);
        }
        topic.subscriptions.write().remove(subscription.name());
        subscription.end();
        let mut ops = Vec::new();
        if &**subscription.name() == QUEUE {
            let mut state = self.inner.state.write();
            let router = state.routers.get_mut(topic.namespace());
            let removed = router.map(|router| router.unbind_topic(topic.name()));
            ops = self.removal_ops(topic.namespace(), &removed.unwrap_or_default());
        }
        if !topic.lives_in_memory() {
            ops.push(catalog::remove(catalog::subscription(
                topic.id(),
                subscription.name(),
            )));
            ops.extend(cursor_drops(subscription, topic));
        }
        self.commit_done(ops).await
    }
}

impl Subscription {
    /// Whether it is a queue that a restart ends: not durable, or of one connection.
    pub(super) fn ends_with_process(&self) -> bool {
        let queue = self.queue.as_ref();
        queue.is_some_and(|queue| queue.of_connection || !queue.durable)
    }

    /// The connection that has the queue for itself.
    pub(super) fn exclusive(&self) -> Option<OwnerId> {
        self.queue.as_ref()?.exclusive
    }
}

fn topic_spec(spec: &QueueSpec) -> TopicSpec {
    let lifetime = match spec.exclusive {
        Some(owner) => Lifetime::Owner(owner),
        None if spec.durable => Lifetime::Permanent,
        None => Lifetime::Process,
    };
    TopicSpec {
        lifetime,
        retention: spec.retention.unwrap_or(Retention::Settled),
        durability: Durability::Disk,
        origin: Origin::Queue,
        ..TopicSpec::new(spec.namespace.as_str(), spec.name.as_str())
    }
}

/// Cursors of a new subscription. What is known to be gone is settled for it from the start.
fn cursors_at(topic: &Topic, mode: Mode, floors: &[Offset]) -> Vec<Cursor> {
    let partitions = topic.partitions.read();
    let cursors = floors.iter().zip(partitions.iter());
    let cursors = cursors.map(|(floor, partition)| {
        let mut cursor = Cursor::starting_at(*floor);
        if mode != Mode::Positional {
            let space = partition.space.lock();
            space
                .forgotten()
                .for_each(|range| cursor.apply(&Change::Settle(range)));
        }
        cursor
    });
    cursors.collect()
}

fn floors_at_start(topic: &Topic) -> Vec<Offset> {
    topic
        .partitions
        .read()
        .iter()
        .map(|partition| partition.start())
        .collect()
}

fn info(subscription: Arc<Subscription>, created: bool) -> QueueInfo {
    let counts = subscription.counts();
    QueueInfo {
        subscription,
        ready: counts.ready,
        consumers: counts.consumers,
        created,
    }
}

fn is_unused(subscription: &Subscription) -> bool {
    let auto_delete = subscription
        .queue
        .as_ref()
        .is_some_and(|queue| queue.auto_delete);
    if !auto_delete {
        return false;
    }
    let state = subscription.state.lock();
    state.had_consumers && state.outboxes.is_empty()
}

fn check_owner(
    subscription: &Subscription,
    namespace: &str,
    name: &str,
    owner: Option<OwnerId>,
) -> Result<()> {
    let exclusive = subscription.exclusive();
    if exclusive.is_none() || exclusive == owner {
        return Ok(());
    }
    Err(locked(namespace, name))
}

pub(super) fn locked(namespace: &str, name: &str) -> Error {
    let text = format!(
        "cannot obtain exclusive access to locked queue '{name}' in vhost '{namespace}'. It could \
         be originally declared on another connection or the exclusive property value does not \
         match that of the original declaration."
    );
    Error::new(ErrorKind::Denied, "use queue", text)
}

pub(super) fn no_queue(namespace: &str, name: &str) -> Error {
    let text = format!("no queue '{name}' in vhost '{namespace}'");
    Error::new(ErrorKind::NotFound, "find queue", text)
}
