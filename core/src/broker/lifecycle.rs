//! Opening a broker on what its store holds, and closing it.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use tokio_util::sync::CancellationToken;

use super::{
    Broker, DEFAULT_NAMESPACE, Inner, Mode, Options, State, Subscription, Topic,
    admission::Gate,
    catalog::{self, SubscriptionRecord, TopicRecord},
    completion::Completions,
    decoded::Shelf,
    janitor::Janitor,
    owned::Owned,
    partition::Partition,
    persist::{ahead, later},
    tally::Tally,
    timekeeper::Timekeeper,
    unused::Alarms,
};
use crate::{
    codec::Codecs,
    compaction::Progress,
    cursor::{Cursor, decode_changes},
    error::{Error, ErrorKind, Result},
    id::{CursorId, LogId, Offset, PartitionId},
    producer::Producers,
    router::Router,
    store::{AppendsRefused, Commit, Durability, Epoch, Expect, MemoryStore, Op, Store},
};

/// Producer ids are reserved this many at once.
const ID_BLOCK: i64 = 1000;

/// Reserved producer ids: the next to give out, and the first beyond.
#[derive(Debug, Default)]
pub(super) struct IdBlock {
    next: i64,
    end: i64,
}

impl Broker {
    /// Opens a broker on a store: a new epoch, then everything that the store holds.
    ///
    /// # Errors
    /// The store's, and `Corrupt` for records that do not read.
    pub async fn open(store: Arc<dyn Store>, codecs: Codecs, options: Options) -> Result<Self> {
        let epoch = next_epoch(&*store).await?;
        let inner = Arc::new(Inner {
            completions: Completions::start(&store),
            admission: Gate::new(options.limits.in_flight_bytes),
            store,
            memory: Arc::new(MemoryStore::bounded(options.limits.memory_bytes)),
            codecs,
            decoded: Shelf::default(),
            options,
            epoch,
            state: RwLock::new(State::default()),
            admin: Arc::default(),
            owed: Mutex::default(),
            partitions: Tally::default(),
            cursors: Tally::default(),
            owned: Owned::default(),
            group_commits: Mutex::default(),
            janitor: Janitor::default(),
            timekeeper: Arc::default(),
            alarms: Arc::default(),
            next_owner: 1.into(),
            producer_ids: Mutex::default(),
            closing: CancellationToken::new(),
        });
        let broker = Self { inner };
        broker.load().await?;
        broker.inner.janitor.start(&broker.inner);
        Timekeeper::start(&broker.inner);
        Alarms::start(&broker.inner);
        Ok(broker)
    }

    /// Stops: producers are refused, horizons become exact, and the store closes with everything
    /// durable. Idempotent.
    ///
    /// # Errors
    /// The store's.
    pub async fn shutdown(&self) -> Result<()> {
        self.inner.closing.cancel();
        self.close_gate();
        let topics: Vec<_> = self.inner.state.read().by_id.values().cloned().collect();
        for subscription in topics.iter().flat_map(|topic| topic.subscriptions()) {
            subscription.gone.cancel();
            let _turn = subscription.commit_turn(Some(&self.inner));
            let mut state = subscription.state.lock();
            state.dispatcher.exact_horizons();
            subscription.persist_later(&mut state);
        }
        self.inner.store.close().await
    }

    /// Returns once the store has failed for good and must be opened again, by another broker:
    /// see [`Store::failed`]. Cancel-safe.
    pub async fn failed(&self) -> Error {
        self.inner.store.failed().await
    }

    /// Tells when publishes to topics on disk are refused for some time, and when that ends: see
    /// [`Store::appends_refused`].
    pub fn appends_refused(&self) -> AppendsRefused {
        self.inner.store.appends_refused()
    }

    /// An id that no producer had before, over restarts.
    ///
    /// # Errors
    /// The store's.
    pub async fn new_producer_id(&self) -> Result<i64> {
        let take = || {
            let mut block = self.inner.producer_ids.lock();
            let id = block.next;
            (id < block.end).then(|| block.next += 1).map(|()| id)
        };
        if let Some(id) = take() {
            return Ok(id);
        }
        let _admin = self.turn().await;
        if let Some(id) = take() {
            return Ok(id);
        }
        let key = Bytes::from_static(catalog::PRODUCER_IDS);
        let stored = self.inner.store.get(key.clone()).await?;
        let start = stored
            .as_deref()
            .map_or(Ok(0), |value| catalog::read(&key, value))?;
        self.commit_admin(vec![catalog::put(key, &(start + ID_BLOCK))])
            .await?;
        *self.inner.producer_ids.lock() = IdBlock {
            next: start + 1,
            end: start + ID_BLOCK,
        };
        Ok(start)
    }

    /// A value that lives as long as the store does; `make` gives it the first time.
    ///
    /// # Errors
    /// The store's, and `Corrupt` where the record does not read.
    pub async fn persistent_name(
        &self,
        key: &str,
        make: impl FnOnce() -> String,
    ) -> Result<String> {
        let _admin = self.turn().await;
        let key = catalog::named(b"m/", "name", key);
        if let Some(value) = self.inner.store.get(key.clone()).await? {
            return catalog::read(&key, &value);
        }
        let value = make();
        self.commit_admin(vec![catalog::put(key, &value)]).await?;
        Ok(value)
    }

    async fn load(&self) -> Result<()> {
        let mut producers = self.load_producers().await?;
        let store = self.inner.store.clone();
        for (key, value) in scan(&*store, catalog::TOPICS).await? {
            let record: TopicRecord = catalog::read(&key, &value)?;
            let mut partitions = Vec::new();
            for number in 0..record.spec.partitions {
                let log = LogId {
                    topic: record.id,
                    partition: PartitionId(number),
                };
                partitions.push(load_partition(&*store, log, &mut producers).await?);
            }
            let topic = Topic::new(
                record.id,
                record.spec,
                store.clone(),
                partitions,
                &self.inner.partitions,
            );
            self.inner.state.write().insert(&Arc::new(topic));
        }
        let mut over = Vec::new();
        for (key, value) in scan(&*store, catalog::SUBSCRIPTIONS).await? {
            let subscription = self.load_subscription(catalog::read(&key, &value)?).await?;
            over.extend(subscription.filter(|queue| queue.ends_with_process()));
        }
        self.load_buckets().await?;
        self.load_compacted().await?;
        self.load_router().await?;
        let _turn = self.turn().await;
        for queue in over {
            // A full disk is no reason to stay closed: it is gone from memory, and owed to the store.
            if let Err(error) = self.delete_queue_locked(&queue).await {
                tracing::error!(%error, "a queue that ended with the process is not deleted yet");
            }
        }
        Ok(())
    }

    async fn load_producers(&self) -> Result<HashMap<LogId, Vec<(i64, Bytes)>>> {
        let mut producers: HashMap<_, Vec<_>> = HashMap::new();
        for (key, value) in scan(&*self.inner.store, catalog::PRODUCERS).await? {
            if let Some((log, id)) = catalog::parse_producer(&key) {
                producers.entry(log).or_default().push((id, value));
            }
        }
        Ok(producers)
    }

    async fn load_subscription(
        &self,
        record: SubscriptionRecord,
    ) -> Result<Option<Arc<Subscription>>> {
        let Some(topic) = self.topic_by_id(record.topic) else {
            return Ok(None);
        };
        let mut cursors = Vec::new();
        for number in 0..topic.partition_count() {
            let partition = PartitionId(number);
            let id = CursorId {
                subscription: record.id,
                partition,
            };
            let mut changes = Vec::new();
            for stored in self.inner.store.cursor(id).await? {
                changes.extend(later(decode_changes(stored)?, -ahead()));
            }
            let bounds = topic.bounds(partition)?;
            let end = match record.mode {
                // A client's commit stays what it said: its reader is told where the log ends.
                Mode::Positional => Offset(u64::MAX),
                Mode::Lease | Mode::Keyed => bounds.end,
            };
            cursors.push(Cursor::recover(changes, bounds.start, end));
        }
        let around = (&topic, &self.inner);
        let (name, mode) = (record.name.as_str(), record.mode);
        let subscription = Subscription::new(record.id, name, mode, around, record.queue, cursors);
        topic.add(&subscription);
        // Nobody could use it while the broker was down.
        subscription.used();
        Ok(Some(subscription))
    }

    async fn load_compacted(&self) -> Result<()> {
        for (key, value) in scan(&*self.inner.store, catalog::COMPACTED).await? {
            let Some(log) = catalog::parse_compacted(&key) else {
                continue;
            };
            let topic = self.topic_by_id(log.topic);
            let Some(partition) = topic.and_then(|topic| topic.partition(log.partition).ok())
            else {
                continue;
            };
            // Without it the whole log is looked at once more, and nothing else.
            let progress = Progress::decode(&value).unwrap_or_else(|error| {
                tracing::error!(%error, "a log is compacted from its start");
                Progress::default()
            });
            *partition.compacted.lock() = Some(progress);
        }
        Ok(())
    }

    async fn load_buckets(&self) -> Result<()> {
        for (key, value) in scan(&*self.inner.store, catalog::BUCKETS).await? {
            let (topic, bucket, number) = catalog::read_bucket(&key, &value)?;
            if let Some(topic) = self.topic_by_id(topic) {
                topic.wheel.lock().restore(bucket, number);
                self.inner.timekeeper.arm(topic.id(), bucket.opens_at());
            }
        }
        Ok(())
    }

    async fn load_router(&self) -> Result<()> {
        let store = &*self.inner.store;
        let mut exchanges = Vec::new();
        for (key, value) in scan(store, catalog::EXCHANGES).await? {
            exchanges.push((
                namespace_of(&key, catalog::EXCHANGES),
                catalog::read(&key, &value)?,
            ));
        }
        let mut bindings = Vec::new();
        for (key, value) in scan(store, catalog::BINDINGS).await? {
            bindings.push((
                namespace_of(&key, catalog::BINDINGS),
                catalog::read(&key, &value)?,
            ));
        }
        let mut routers: HashMap<Arc<str>, Router> = HashMap::new();
        routers.insert(DEFAULT_NAMESPACE.into(), Router::new(DEFAULT_NAMESPACE));
        for (namespace, _) in &exchanges {
            let name: Arc<str> = namespace.as_str().into();
            routers
                .entry(name.clone())
                .or_insert_with(|| Router::new(name));
        }
        for (namespace, router) in &mut routers {
            let mine = exchanges.iter().filter(|(of, _)| **of == **namespace);
            let exchanges = mine.map(|(_, spec)| spec).cloned().collect();
            let mine = bindings.iter().filter(|(of, _)| **of == **namespace);
            let bindings = mine.map(|(_, binding)| binding).cloned().collect();
            super::exchange::restore(router, exchanges, bindings);
        }
        self.inner.state.write().routers = routers;
        Ok(())
    }
}

async fn scan(store: &dyn Store, prefix: &'static [u8]) -> Result<Vec<(Bytes, Bytes)>> {
    store.scan(Bytes::from_static(prefix)).await
}

async fn load_partition(
    store: &dyn Store,
    log: LogId,
    producers: &mut HashMap<LogId, Vec<(i64, Bytes)>>,
) -> Result<Arc<Partition>> {
    let bounds = store.bounds(log).await?;
    let mut table = Producers::default();
    for (id, state) in producers.remove(&log).unwrap_or_default() {
        table.restore(id, state, bounds.end)?;
    }
    Ok(Arc::new(Partition::new(
        log,
        bounds.start,
        bounds.end,
        table,
    )))
}

fn namespace_of(key: &[u8], prefix: &[u8]) -> String {
    let rest = key.strip_prefix(prefix).unwrap_or(key);
    let namespace = rest.split(|octet| *octet == 0).next().unwrap_or(rest);
    String::from_utf8_lossy(namespace).into_owned()
}

/// Takes the store over: whoever had it before is fenced.
async fn next_epoch(store: &dyn Store) -> Result<Epoch> {
    let key = Bytes::from_static(catalog::EPOCH);
    loop {
        let stored = store.get(key.clone()).await?;
        let last: u64 = stored
            .as_deref()
            .map_or(Ok(0), |value| catalog::read(&key, value))?;
        let epoch = Epoch(last + 1);
        let op = match catalog::put(key.clone(), &epoch.0) {
            Op::PutIf { key, value, .. } => Op::PutIf {
                key,
                expect: stored.map_or(Expect::Absent, Expect::Is),
                value,
            },
            other => other,
        };
        let taken = store.submit(Commit {
            ops: vec![op],
            durability: Durability::Disk,
            epoch,
        });
        match taken {
            Ok(submitted) => {
                store.durable(submitted.seq, Durability::Disk).await?;
                return Ok(epoch);
            }
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(error),
        }
    }
}
