//! The publish path: route, take a place in the log, confirm once durable and visible.

use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use super::{
    Admission, Broker, Confirm, Topic, catalog,
    completion::{Completion, Due, Effect},
    partition::Partition,
};
use crate::{
    entry::{Draft, ProducerStamp},
    error::{Error, ErrorKind, Result},
    id::{Millis, Offset, PartitionId},
    message::Headers,
    partitioner::{murmur2, partition_of},
    producer::{Batch, Producers, Sequence},
    store::{Commit, Durability, Expect, Op, Store, Submitted},
};

/// One publishing channel or stream; its messages without a key stay in one partition, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct LaneId(pub u64);

/// Where a publish goes.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// A topic.
    Topic(&'a str),
    /// An exchange, which routes by key and headers; `""` is the default one.
    Exchange {
        /// The exchange's name.
        exchange: &'a str,
        /// The routing key.
        key: &'a [u8],
        /// Headers, for a headers exchange.
        headers: &'a Headers,
    },
}

/// A message, or a batch for one partition, to be published.
#[derive(Debug)]
pub struct Publish<'a> {
    /// The namespace.
    pub namespace: &'a str,
    /// Where it goes.
    pub target: Target<'a>,
    /// The entry.
    pub draft: Draft,
    /// The message's key, which chooses the partition.
    pub key: Option<&'a [u8]>,
    /// Chooses the partition where there is no key.
    pub lane: LaneId,
    /// What the confirm waits for; where the protocol is silent, each topic's own.
    pub durability: Option<Durability>,
    /// Room that it takes until it is durable.
    pub admission: Admission,
}

/// A publish that has its place in every topic it was routed to.
#[derive(Debug)]
pub struct Published {
    /// How many topics it went to; 0 is unroutable.
    pub routed: usize,
    /// The place in the first of them.
    pub place: Option<(PartitionId, Offset)>,
    /// Resolves once it is durable, and readers can see it.
    pub confirm: Confirm,
}

/// A batch for one partition, verbatim (Kafka's produce).
#[derive(Debug)]
pub struct Append<'a> {
    /// The topic.
    pub topic: &'a Arc<Topic>,
    /// The partition.
    pub partition: PartitionId,
    /// The entry.
    pub draft: Draft,
    /// What the confirm waits for.
    pub durability: Durability,
    /// Room that it takes until it is durable.
    pub admission: Admission,
}

/// A batch that has its place, or had it before.
#[derive(Debug)]
pub struct Appended {
    /// Its first offset.
    pub base_offset: Offset,
    /// When it was appended.
    pub appended: Millis,
    /// Resolves once it is durable, and readers can see it.
    pub confirm: Confirm,
}

/// Why a batch was not appended.
#[derive(Debug)]
pub enum AppendError {
    /// Batches of this producer before it are missing.
    SequenceGap,
    /// A newer epoch of this producer has appended.
    Fenced,
    /// Anything else.
    Other(Error),
}

impl From<Error> for AppendError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// One place that a publish goes to.
struct Stop {
    topic: Arc<Topic>,
    at: PartitionId,
    partition: Arc<Partition>,
}

type Stops = SmallVec<[Stop; 4]>;

impl Broker {
    /// Publishes: one commit however many targets. The order of calls is the order in each log.
    ///
    /// # Errors
    /// `NotFound` for a topic or exchange that does not exist, `Denied` for an internal exchange,
    /// `TooLarge` above the message size limit, and the store's: then nothing was published.
    pub fn publish(&self, publish: Publish<'_>) -> Result<Published> {
        self.check_size(&publish.draft)?;
        let stops = self.stops(&publish)?;
        let Some(first) = stops.first() else {
            return Ok(Published {
                routed: 0,
                place: None,
                confirm: Confirm::ready(),
            });
        };
        let (at, routed) = (first.at, stops.len());
        let level = publish.durability.unwrap_or_else(|| default_level(&stops));
        let (base, confirm) = self.submit_all(stops, publish.draft, level, publish.admission)?;
        Ok(Published {
            routed,
            place: Some((at, base)),
            confirm,
        })
    }

    /// Appends a batch to one partition; a batch that an idempotent producer repeats is answered
    /// with the place it had, once that is durable.
    ///
    /// # Errors
    /// See [`AppendError`]; nothing was appended then.
    pub fn append(&self, append: Append<'_>) -> Result<Appended, AppendError> {
        self.check_size(&append.draft)?;
        let stop = Stop {
            topic: append.topic.clone(),
            at: append.partition,
            partition: append.topic.partition(append.partition)?,
        };
        let partition = stop.partition.clone();
        let mut producers = partition.tail.lock();
        let mut ops = Vec::new();
        if let Some(stamp) = append.draft.producer {
            match producers.check(stamp, append.draft.span) {
                Sequence::Next => {}
                Sequence::Gap => return Err(AppendError::SequenceGap),
                Sequence::Fenced => return Err(AppendError::Fenced),
                Sequence::Repeat(batch) => {
                    let confirm = self.confirm_again(&stop.topic, append.durability)?;
                    return Ok(appended(batch.base_offset, batch.appended, confirm));
                }
            }
            ops = self.remember(&mut producers, stamp, &append.draft, &partition);
        }
        let (submitted, span) = self.submit_one(&stop, append.draft, ops, append.durability)?;
        drop(producers);
        let placed = submitted.placed[0];
        let stops = Stops::from_iter([stop]);
        let confirm = self.complete(&submitted, stops, span, append.durability, append.admission);
        Ok(appended(placed.base_offset, placed.appended, confirm))
    }

    /// The producer's state with this batch, to be written beside it. The caller holds the tail,
    /// so the batch's place is the partition's end.
    fn remember(
        &self,
        producers: &mut Producers,
        stamp: ProducerStamp,
        draft: &Draft,
        partition: &Partition,
    ) -> Vec<Op> {
        let batch = Batch {
            sequence: stamp.sequence,
            count: draft.span,
            base_offset: partition.end(),
            appended: Millis::now(),
        };
        let state = producers.appended(stamp, batch);
        let mut ops = vec![put_producer(partition.log, stamp.id, Some(state))];
        if let Some(id) = producers.evict(self.limits().producers) {
            ops.push(put_producer(partition.log, id, None));
        }
        ops
    }

    fn check_size(&self, draft: &Draft) -> Result<()> {
        let (size, limit) = (draft.body.len(), self.limits().message_bytes);
        if size <= limit {
            return Ok(());
        }
        let message = format!("{size} octets; the limit for one message is {limit}");
        Err(Error::new(ErrorKind::TooLarge, "publish", message))
    }

    fn stops(&self, publish: &Publish<'_>) -> Result<Stops> {
        let state = self.inner.state.read();
        let topic = |name: &str| state.topic(publish.namespace, name);
        let mut topics: SmallVec<[Arc<Topic>; 4]> = SmallVec::new();
        match &publish.target {
            Target::Topic(name) => {
                topics.push(topic(name).ok_or_else(|| no_topic(publish.namespace, name))?);
            }
            Target::Exchange {
                exchange: "", key, ..
            } => {
                topics.extend(std::str::from_utf8(key).ok().and_then(topic));
            }
            Target::Exchange {
                exchange,
                key,
                headers,
            } => {
                let mut names = Vec::new();
                state
                    .router(publish.namespace)?
                    .route(exchange, key, headers, &mut names)?;
                topics.extend(names.iter().filter_map(|name| topic(name)));
            }
        }
        drop(state);
        let hash = publish.key.map(murmur2).or(publish.draft.fields.key_hash);
        let stops = topics.into_iter().map(|topic| {
            let count = topic.partition_count();
            let lane = PartitionId((publish.lane.0 % u64::from(count.max(1))) as u32);
            let at = hash.map_or(lane, |hash| partition_of(hash, count));
            let partition = topic.partition(at)?;
            Ok(Stop {
                topic,
                at,
                partition,
            })
        });
        stops.collect()
    }

    /// Submits to the durable store in one commit, and to memory in another.
    fn submit_all(
        &self,
        mut stops: Stops,
        draft: Draft,
        level: Durability,
        admission: Admission,
    ) -> Result<(Offset, Confirm)> {
        if stops.len() == 1 {
            let stop = stops.pop().expect("there is one");
            let partition = stop.partition.clone();
            let tail = partition.tail.lock();
            let (submitted, span) = self.submit_one(&stop, draft, Vec::new(), level)?;
            drop(tail);
            let base = submitted.placed[0].base_offset;
            let stops = Stops::from_iter([stop]);
            return Ok((
                base,
                self.complete(&submitted, stops, span, level, admission),
            ));
        }
        let (memory, durable): (Stops, Stops) = stops
            .into_iter()
            .partition(|stop| stop.topic.lives_in_memory());
        let span = draft.span;
        let mut base = None;
        let mut confirm = Confirm::ready();
        if !durable.is_empty() {
            let submitted = self.submit_many(&*self.inner.store, &durable, &draft, level)?;
            base = submitted.placed.first().map(|placed| placed.base_offset);
            confirm = self.complete(&submitted, durable, span, level, admission);
        }
        if !memory.is_empty() {
            let submitted = self.submit_many(&*self.inner.memory, &memory, &draft, level)?;
            base = base.or(submitted.placed.first().map(|placed| placed.base_offset));
            let done = self.complete(&submitted, memory, span, level, Admission::none());
            debug_assert!(done.is_ready(), "memory is done at once");
        }
        Ok((base.unwrap_or_default(), confirm))
    }

    /// One commit over several logs. Tails are locked in the order of their logs, so that two
    /// fan-outs never wait for each other.
    fn submit_many(
        &self,
        store: &dyn Store,
        stops: &Stops,
        draft: &Draft,
        level: Durability,
    ) -> Result<Submitted> {
        let mut sorted: SmallVec<[&Stop; 4]> = stops.iter().collect();
        sorted.sort_unstable_by_key(|stop| stop.partition.log);
        let tails: SmallVec<[_; 4]> = sorted
            .iter()
            .map(|stop| stop.partition.tail.lock())
            .collect();
        let appends = stops.iter().map(|stop| Op::Append {
            log: stop.partition.log,
            draft: draft.clone(),
        });
        let submitted = store.submit(Commit {
            ops: appends.collect(),
            durability: level,
            epoch: self.inner.epoch,
        })?;
        for (stop, placed) in stops.iter().zip(&submitted.placed) {
            stop.partition
                .extend(placed.base_offset.plus(u64::from(draft.span)));
        }
        drop(tails);
        Ok(submitted)
    }

    /// One append; the caller holds the partition's tail. Returns the draft's span with it.
    fn submit_one(
        &self,
        stop: &Stop,
        draft: Draft,
        mut ops: Vec<Op>,
        level: Durability,
    ) -> Result<(Submitted, u32)> {
        let (span, log) = (draft.span, stop.partition.log);
        ops.push(Op::Append { log, draft });
        let submitted = stop.topic.store.submit(Commit {
            ops,
            durability: level,
            epoch: self.inner.epoch,
        })?;
        let end = submitted.placed[0].base_offset.plus(u64::from(span));
        stop.partition.extend(end);
        Ok((submitted, span))
    }

    /// A confirm for what was appended before: everything up to now is durable then.
    fn confirm_again(&self, topic: &Arc<Topic>, level: Durability) -> Result<Confirm> {
        if topic.lives_in_memory() {
            return Ok(Confirm::ready());
        }
        let submitted = topic.store.submit(Commit {
            ops: Vec::new(),
            durability: level,
            epoch: self.inner.epoch,
        })?;
        let level = level.max(Durability::Os);
        Ok(self.complete(&submitted, Stops::new(), 0, level, Admission::none()))
    }

    /// Queues what follows the commit: visibility and the confirm.
    fn complete(
        &self,
        submitted: &Submitted,
        stops: Stops,
        span: u32,
        level: Durability,
        admission: Admission,
    ) -> Confirm {
        let mut leasable = Vec::new();
        let mut stable = Vec::with_capacity(stops.len());
        for (stop, placed) in stops.into_iter().zip(&submitted.placed) {
            let end = placed.base_offset.plus(u64::from(span));
            if stop.topic.lives_in_memory() {
                stop.topic.stabilize(stop.at, end);
                continue;
            }
            if level < Durability::Disk {
                leasable.push(Effect::Leasable(stop.topic.clone(), stop.at, end));
            }
            stable.push(Effect::Stable(stop.topic, stop.at, end));
        }
        if stable.is_empty() && span > 0 {
            return Confirm::ready();
        }
        let completion = |effects, confirm, admission| Completion {
            seq: submitted.seq,
            effects,
            confirm,
            admission,
        };
        let completions = &self.inner.completions;
        let (sender, confirm) = Confirm::pending();
        match level {
            Durability::Disk => {
                completions.push(Due::Disk, completion(stable, Some(sender), admission));
            }
            Durability::Os => {
                completions.push(
                    Due::Os,
                    completion(leasable, Some(sender), Admission::none()),
                );
                completions.push(Due::Lazy, completion(stable, None, admission));
            }
            Durability::Memory => {
                completion(leasable, Some(sender), Admission::none()).finish(Ok(()));
                completions.push(Due::Lazy, completion(stable, None, admission));
            }
        }
        confirm
    }
}

fn default_level(stops: &Stops) -> Durability {
    let levels = stops.iter().map(|stop| stop.topic.spec().durability);
    levels.max().unwrap_or_default()
}

fn put_producer(log: crate::id::LogId, id: i64, state: Option<Bytes>) -> Op {
    Op::PutIf {
        key: catalog::producer(log, id),
        expect: Expect::Any,
        value: state,
    }
}

fn appended(base_offset: Offset, appended: Millis, confirm: Confirm) -> Appended {
    Appended {
        base_offset,
        appended,
        confirm,
    }
}

pub(super) fn no_topic(namespace: &str, name: &str) -> Error {
    let message = format!("no topic `{name}` in namespace `{namespace}`");
    Error::new(ErrorKind::NotFound, "find topic", message)
}
