//! Appending a producer's batch to one partition, verbatim (Kafka's produce).

use std::sync::Arc;

use bytes::Bytes;

use super::{
    Admission, Broker, Confirm, Topic, catalog,
    partition::Partition,
    place::{Stop, Stops},
};
use crate::{
    entry::{Draft, ProducerStamp},
    error::{Error, Result},
    id::{LogId, Millis, Offset, PartitionId},
    producer::{Batch, Producers, Sequence},
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
        self.check_keyed(append.topic, &append.draft)
            .map_err(AppendError::Keyless)?;
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
        let level = append.durability;
        let (submitted, span) = match append.pieces.is_empty() {
            true => self.submit_one(&stop, append.draft, ops, level)?,
            false => self.submit_pieces(&stop, append.pieces, ops, level)?,
        };
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

fn put_producer(log: LogId, id: i64, state: Option<Bytes>) -> Op {
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
