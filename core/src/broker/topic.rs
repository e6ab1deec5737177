//! A topic while the broker runs.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    Lifetime, Retention, Subscription, TopicSpec,
    partition::Partition,
    tally::{Share, Tally},
};
use crate::{
    entry::{Draft, Entry},
    error::{Error, ErrorKind, Result},
    id::{Millis, Offset, PartitionId, TopicId},
    producer::ActiveProducer,
    store::{Durability, ReadLimit, Store},
    wheel::Wheel,
};

/// A topic: partitions, and the subscriptions on them.
pub struct Topic {
    id: TopicId,
    spec: RwLock<TopicSpec>,
    name: Arc<str>,
    namespace: Arc<str>,
    pub(super) store: Arc<dyn Store>,
    pub(super) partitions: RwLock<Vec<Arc<Partition>>>,
    pub(super) share: Share,
    pub(super) subscriptions: RwLock<BTreeMap<Arc<str>, Arc<Subscription>>>,
    /// What waits for its time. Locked after tails, in the order of topics.
    pub(super) wheel: Mutex<Wheel>,
    pub(super) gone: CancellationToken,
    /// Tells those who read all partitions of new ones.
    pub(super) grown: Notify,
}

/// The ends of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicBounds {
    /// The first offset that can be read.
    pub start: Offset,
    /// Readers see what is below (Kafka's high watermark).
    pub stable: Offset,
    /// The offset that the next message gets.
    pub end: Offset,
}

impl Topic {
    pub(super) fn new(
        id: TopicId,
        spec: TopicSpec,
        store: Arc<dyn Store>,
        partitions: Vec<Arc<Partition>>,
        all_partitions: &Tally,
    ) -> Self {
        Self {
            id,
            name: spec.name.as_str().into(),
            namespace: spec.namespace.as_str().into(),
            spec: RwLock::new(spec),
            store,
            share: all_partitions.share(partitions.len()),
            partitions: RwLock::new(partitions),
            subscriptions: RwLock::default(),
            wheel: Mutex::default(),
            gone: CancellationToken::new(),
            grown: Notify::new(),
        }
    }

    /// Its identity.
    pub fn id(&self) -> TopicId {
        self.id
    }

    /// Its name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Its namespace.
    pub fn namespace(&self) -> &Arc<str> {
        &self.namespace
    }

    /// What it was declared as, with the partitions it has now.
    pub fn spec(&self) -> TopicSpec {
        self.spec.read().clone()
    }

    /// What it keeps.
    pub fn retention(&self) -> Retention {
        self.spec.read().retention
    }

    /// What a publish survives where its protocol is silent.
    pub fn durability(&self) -> Durability {
        self.spec.read().durability
    }

    /// Octets of one message or producer's batch at most, where it has a limit of its own.
    pub fn message_bytes(&self) -> Option<usize> {
        self.spec.read().message_bytes
    }

    /// What a protocol noted on it under that name.
    pub fn note(&self, name: &str) -> Option<String> {
        self.spec.read().notes.get(name).cloned()
    }

    /// How long it exists.
    pub fn lifetime(&self) -> Lifetime {
        self.spec.read().lifetime
    }

    /// How many partitions it has.
    pub fn partition_count(&self) -> u32 {
        u32::try_from(self.partitions.read().len()).expect("partitions are numbered in 32 bits")
    }

    /// Its subscriptions, by name.
    pub fn subscriptions(&self) -> Vec<Arc<Subscription>> {
        self.subscriptions.read().values().cloned().collect()
    }

    /// One subscription.
    pub fn subscription(&self, name: &str) -> Option<Arc<Subscription>> {
        // Recursive: a subscription asks while it is locked, and an advance locks it while it reads.
        self.subscriptions.read_recursive().get(name).cloned()
    }

    /// Whether it has been deleted.
    pub fn is_gone(&self) -> bool {
        self.gone.is_cancelled()
    }

    /// The ends of a partition.
    ///
    /// # Errors
    /// `NotFound` where there is no such partition.
    pub fn bounds(&self, partition: PartitionId) -> Result<TopicBounds> {
        let partition = self.partition(partition)?;
        let (start, stable) = (partition.start(), partition.stable());
        Ok(TopicBounds {
            start,
            stable: stable.max(start),
            end: partition.end(),
        })
    }

    /// Whether `error` comes of what a partition has let go of since it had these bounds: then there are
    /// others to look within. Retention waits for no reader.
    pub async fn was_trimmed(
        &self,
        partition: PartitionId,
        bounds: TopicBounds,
        error: &Error,
    ) -> bool {
        if error.kind() != ErrorKind::NotFound {
            return false;
        }
        let Ok(partition) = self.partition(partition) else {
            return false;
        };
        let Ok(now) = self.store.bounds(partition.log).await else {
            return false;
        };
        // The store lets go first, and what is known here follows.
        partition.trim(now.start);
        now.start > bounds.start
    }

    /// Octets of the bodies that a partition holds; what was let go a moment ago may still count.
    ///
    /// # Errors
    /// `NotFound` where there is no such partition, and the store's.
    pub async fn octets(&self, partition: PartitionId) -> Result<u64> {
        let log = self.partition(partition)?.log;
        Ok(self.store.bounds(log).await?.octets)
    }

    /// The subscription that holds the log: under `settled` retention the one that keeps the most
    /// offsets from being trimmed. `None` where nothing is kept for anybody.
    pub fn holder(&self) -> Option<Arc<Subscription>> {
        if self.retention() != Retention::Settled {
            return None;
        }
        let partitions = self.partitions.read().clone();
        let kept = |subscription: &Arc<Subscription>| -> u64 {
            let partitions = (0..).map(PartitionId).zip(&partitions);
            let kept = partitions.filter_map(|(at, partition)| {
                let from = subscription.held(at)?.max(partition.start());
                Some(partition.end().0.saturating_sub(from.0))
            });
            kept.sum()
        };
        let subscriptions = self.subscriptions().into_iter();
        let holders = subscriptions.filter(|subscription| kept(subscription) > 0);
        holders.max_by_key(kept)
    }

    /// Stable entries from the one that covers `from` on; where that was forgotten, from the next
    /// one that is there. None at the stable end, and none where nothing is there up to the stable
    /// end that [`Topic::bounds`] told before.
    ///
    /// # Errors
    /// `NotFound` where the partition does not exist, or `from` is before its start or beyond its
    /// stable end; `Corrupt` for damage.
    pub async fn read(
        &self,
        partition: PartitionId,
        from: Offset,
        limit: ReadLimit,
    ) -> Result<Vec<Entry>> {
        let partition = self.partition(partition)?;
        let start = partition.start();
        let stable = partition.stable().max(start);
        if from < start || from > stable {
            let message = format!("offset {from} is outside {start} to {stable}");
            return Err(Error::new(ErrorKind::NotFound, "read topic", message));
        }
        if from == stable {
            return Ok(Vec::new());
        }
        let mut entries = self.store.read(partition.log, from, limit).await?;
        entries.retain(|entry| entry.end_offset() <= stable);
        Ok(entries)
    }

    /// The idempotent producers that have appended to a partition and are remembered, by id.
    ///
    /// # Errors
    /// `NotFound` where there is no such partition.
    pub fn producers(&self, partition: PartitionId) -> Result<Vec<ActiveProducer>> {
        Ok(self.partition(partition)?.tail.lock().active())
    }

    /// Returns once the partition's stable end lies beyond `beyond`, or the topic is gone. Cancel-safe.
    pub async fn changed(&self, partition: PartitionId, beyond: Offset) {
        let Ok(partition) = self.partition(partition) else {
            return;
        };
        loop {
            let changed = partition.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if partition.stable() > beyond {
                return;
            }
            tokio::select! {
                () = changed => {}
                () = self.gone.cancelled() => return,
            }
        }
    }

    /// The first message at or after `at` by the producer's clock, else ours: the offset of the
    /// entry that holds it, and that entry's time.
    ///
    /// # Errors
    /// `NotFound` where there is no such partition, `Corrupt` for damage.
    pub async fn entry_for_time(
        &self,
        partition: PartitionId,
        at: Millis,
    ) -> Result<Option<Entry>> {
        let partition = self.partition(partition)?;
        let found = self.store.entry_for_time(partition.log, at).await?;
        Ok(found.filter(|entry| entry.end_offset() <= partition.stable()))
    }

    pub(super) fn partition(&self, partition: PartitionId) -> Result<Arc<Partition>> {
        let partitions = self.partitions.read();
        partitions
            .get(partition.0 as usize)
            .cloned()
            .ok_or_else(|| {
                let (name, count) = (&self.name, partitions.len());
                let message =
                    format!("topic `{name}` has {count} partitions, none called {partition}");
                Error::new(ErrorKind::NotFound, "find partition", message)
            })
    }

    /// # Errors
    /// `TooLarge` above the topic's own limit of message size.
    pub(super) fn check_fits(&self, draft: &Draft) -> Result<()> {
        let size = draft.body.len();
        match self.message_bytes() {
            Some(limit) if size > limit => {
                let name = &self.name;
                let message = format!("{size} octets; the limit of topic `{name}` is {limit}");
                Err(Error::new(ErrorKind::TooLarge, "publish", message))
            }
            _ => Ok(()),
        }
    }

    /// Refuses what a damaged topic does not give: leases, which would settle what nobody has seen.
    pub(super) fn check_whole(&self) -> Result<()> {
        let partitions = self.partitions.read();
        let mut damage = partitions.iter().filter_map(|at| self.store.damage(at.log));
        damage.next().map_or(Ok(()), Err)
    }

    pub(super) fn lease_up_to(&self, partition: PartitionId, end: Offset) {
        let Ok(state) = self.partition(partition) else {
            return;
        };
        state.lease_up_to(end);
        self.advance_subscriptions(partition, state.leasable());
    }

    pub(super) fn stabilize(&self, partition: PartitionId, end: Offset) {
        let Ok(state) = self.partition(partition) else {
            return;
        };
        state.stabilize(end);
        self.advance_subscriptions(partition, state.leasable());
    }

    /// Puts a subscription among those that are told of what comes, and tells it of what came while
    /// it was on its way to disk.
    pub(super) fn add(&self, subscription: &Arc<Subscription>) {
        let name = subscription.name().clone();
        self.subscriptions
            .write()
            .insert(name, subscription.clone());
        let partitions = self.partitions.read().clone();
        for (at, partition) in (0..).map(PartitionId).zip(partitions) {
            subscription.advance(at, partition.leasable());
        }
    }

    /// The store refused a commit that may have trimmed a partition.
    pub(super) fn owe_trim(&self, partition: PartitionId) {
        if let Ok(partition) = self.partition(partition) {
            partition.owe_trim();
        }
    }

    /// See [`Subscription::make_up`].
    pub(super) fn make_up(&self) {
        let subscriptions = self.subscriptions.read();
        subscriptions.values().for_each(|each| each.make_up());
    }

    pub(super) fn lives_in_memory(&self) -> bool {
        self.lifetime() != Lifetime::Permanent
    }

    pub(super) fn set_spec(&self, spec: TopicSpec) {
        *self.spec.write() = spec;
    }

    pub(super) fn set_partitions(&self, partitions: u32) {
        self.spec.write().partitions = partitions;
    }

    fn advance_subscriptions(&self, partition: PartitionId, end: Offset) {
        for subscription in self.subscriptions.read().values() {
            subscription.advance(partition, end);
        }
    }
}

impl std::fmt::Debug for Topic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Topic")
            .field("namespace", &self.namespace)
            .field("name", &self.name)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
