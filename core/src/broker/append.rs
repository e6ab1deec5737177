//! Appending a producer's batch to one partition, verbatim (Kafka's produce).

use std::sync::Arc;

use super::{
    Admission, Broker, Confirm, Topic, catalog,
    place::{Stop, Stops},
    publish::no_topic,
};
use crate::{
    entry::Draft,
    error::{Error, Result},
    id::{LogId, Millis, Offset, PartitionId},
    producer::{Advance, Batch, Sequence},
    store::{Commit, Durability, Expect, Op, Submitted},
};

/// A batch for one partition, verbatim (Kafka's produce).
#[derive(Debug)]
pub struct Append<'a> {
    /// The topic.
    pub topic: &'a Arc<Topic>,
    /// The partition.
    pub partition: PartitionId,
    /// The entry.
    pub draft: Draft,
    /// The same messages as entries of their own, which are stored instead where there are any: on a
    /// compacted topic each of them goes by itself.
    pub pieces: Vec<Draft>,
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
    /// The topic is compacted, and a message has no key.
    Keyless(Error),
    /// Anything else.
    Other(Error),
}

impl From<Error> for AppendError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl Broker {
    /// Appends a batch to one partition; a batch that an idempotent producer repeats is answered
    /// with the place it had, once that is durable.
    ///
    /// # Errors
    /// See [`AppendError`]; nothing was appended then.
    pub fn append(&self, append: Append<'_>) -> Result<Appended, AppendError> {
        self.check_size(&append.draft)?;
        append.topic.check_fits(&append.draft)?;
        // Pieces are known to have keys: a batch may take long to read.
        if append.pieces.is_empty() {
            self.check_keyed(append.topic, &append.draft)
                .map_err(AppendError::Keyless)?;
        }
        let stop = Stop {
            topic: append.topic.clone(),
            at: append.partition,
            partition: append.topic.partition(append.partition)?,
        };
        let partition = stop.partition.clone();
        let mut producers = partition.tail.lock();
        if partition.is_closed() {
            let topic = append.topic;
            return Err(no_topic(topic.namespace(), topic.name()).into());
        }
        let (mut ops, mut advance) = (Vec::new(), None);
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
            let batch = Batch {
                sequence: stamp.sequence,
                count: append.draft.span,
                base_offset: partition.end(),
                appended: Millis::now(),
            };
            let next = producers.with(stamp, batch, self.limits().producers);
            ops = producer_ops(partition.log, stamp.id, &next);
            advance = Some(next);
        }
        let level = append.durability;
        let (submitted, span) = match append.pieces.is_empty() {
            true => self.submit_one(&stop, append.draft, ops, level)?,
            false => self.submit_pieces(&stop, append.pieces, ops, level)?,
        };
        // Only now: what the store refuses is no repeat when it comes again.
        if let Some(advance) = advance {
            producers.apply(advance);
        }
        drop(producers);
        let placed = submitted.placed[0];
        let stops = Stops::from_iter([stop]);
        let confirm = self.complete(&submitted, stops, span, append.durability, append.admission);
        Ok(appended(placed.base_offset, placed.appended, confirm))
    }

    /// All in one commit; the caller holds the partition's tail.
    fn submit_pieces(
        &self,
        stop: &Stop,
        pieces: Vec<Draft>,
        mut ops: Vec<Op>,
        durability: Durability,
    ) -> Result<(Submitted, u32)> {
        let span = pieces.iter().map(|piece| piece.span).sum();
        let log = stop.partition.log;
        ops.extend(pieces.into_iter().map(|draft| Op::Append { log, draft }));
        let submitted = stop.topic.store.submit(Commit {
            ops,
            durability,
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
}

/// A producer's state, written beside its batch, and that of the one forgotten for it.
fn producer_ops(log: LogId, id: i64, advance: &Advance) -> Vec<Op> {
    let mut ops = vec![Op::PutIf {
        key: catalog::producer(log, id),
        expect: Expect::Any,
        value: Some(advance.state()),
    }];
    let forgotten = advance.forgotten().into_iter();
    ops.extend(forgotten.map(|id| catalog::remove(catalog::producer(log, id))));
    ops
}

fn appended(base_offset: Offset, appended: Millis, confirm: Confirm) -> Appended {
    Appended {
        base_offset,
        appended,
        confirm,
    }
}
