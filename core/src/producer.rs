//! Idempotent producers of one partition (Kafka, KIP-98): which batch is next, which is a repeat.
//!
//! Pure. Its state is written beside each batch, in the same commit, so that it survives restart,
//! trimming and idling.

use std::collections::{HashMap, VecDeque};

use bytes::{BufMut, Bytes, BytesMut};

use crate::{
    entry::ProducerStamp,
    error::Result,
    id::{Millis, Offset},
    wire::{Reader, Writer},
};

/// Batches remembered for each producer: as many as a client has in flight.
const REMEMBERED: usize = 5;

/// What every producer of a partition appended last.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Producers(HashMap<i64, Producer>);

#[derive(Debug, Clone, Default, PartialEq)]
struct Producer {
    epoch: i16,
    batches: VecDeque<Batch>,
}

/// What one more batch makes of a partition's producers; nothing has changed yet.
#[derive(Debug)]
pub struct Advance {
    id: i64,
    producer: Producer,
    forgotten: Option<i64>,
}

/// An appended batch of a producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// Its first sequence number.
    pub sequence: i32,
    /// Its messages.
    pub count: u32,
    /// Where it begins.
    pub base_offset: Offset,
    /// When it was appended.
    pub appended: Millis,
}

/// A producer, and the batch that it appended last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActiveProducer {
    /// Its number.
    pub id: i64,
    /// Its epoch.
    pub epoch: i16,
    /// The last sequence number that it used; -1 where a crash took all of its batches.
    pub last_sequence: i32,
    /// When it appended last; `None` likewise.
    pub last_append: Option<Millis>,
}

/// What a batch's stamp says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sequence {
    /// It is the next one.
    Next,
    /// It was appended before.
    Repeat(Batch),
    /// Batches before it are missing.
    Gap,
    /// A newer epoch of this producer has appended.
    Fenced,
}

impl Producers {
    /// What a batch of `count` messages with `stamp` is. A producer that is not known may begin
    /// anywhere, as Kafka lets it after its state expired.
    pub fn check(&self, stamp: ProducerStamp, count: u32) -> Sequence {
        let Some(producer) = self.0.get(&stamp.id) else {
            return Sequence::Next;
        };
        if stamp.epoch < producer.epoch {
            return Sequence::Fenced;
        }
        if stamp.epoch > producer.epoch {
            return if stamp.sequence == 0 {
                Sequence::Next
            } else {
                Sequence::Gap
            };
        }
        let same = |batch: &&Batch| batch.sequence == stamp.sequence && batch.count == count;
        if let Some(batch) = producer.batches.iter().find(same) {
            return Sequence::Repeat(*batch);
        }
        match producer.batches.back() {
            Some(last) if last.next_sequence() != stamp.sequence => Sequence::Gap,
            _ => Sequence::Next,
        }
    }

    /// The table as it is with one more batch, to be taken up by [`Producers::apply`] once the batch
    /// has its place. Above `limit` producers the one that appended longest ago is forgotten.
    pub fn with(&self, stamp: ProducerStamp, batch: Batch, limit: usize) -> Advance {
        let known = self.0.get(&stamp.id);
        let same = known.filter(|producer| producer.epoch == stamp.epoch);
        let mut producer = same.cloned().unwrap_or(Producer {
            epoch: stamp.epoch,
            ..Producer::default()
        });
        producer.batches.push_back(batch);
        if producer.batches.len() > REMEMBERED {
            producer.batches.pop_front();
        }
        let is_full = known.is_none() && self.0.len() >= limit;
        Advance {
            id: stamp.id,
            producer,
            forgotten: is_full.then(|| self.oldest()).flatten(),
        }
    }

    /// The batch has its place.
    pub fn apply(&mut self, advance: Advance) {
        if let Some(id) = advance.forgotten {
            self.0.remove(&id);
        }
        self.0.insert(advance.id, advance.producer);
    }

    /// Forgets all of them, and tells their ids.
    pub fn take_ids(&mut self) -> Vec<i64> {
        std::mem::take(&mut self.0).into_keys().collect()
    }

    fn oldest(&self) -> Option<i64> {
        let producers = self.0.iter();
        let oldest = producers.min_by_key(|(_, producer)| producer.last_append());
        oldest.map(|(id, _)| *id)
    }

    /// All producers, by id.
    pub fn active(&self) -> Vec<ActiveProducer> {
        let producers = self.0.iter().map(|(id, producer)| {
            let last = producer.batches.back();
            ActiveProducer {
                id: *id,
                epoch: producer.epoch,
                last_sequence: last.map_or(-1, Batch::last_sequence),
                last_append: last.map(|batch| batch.appended),
            }
        });
        let mut producers: Vec<_> = producers.collect();
        producers.sort_unstable_by_key(|producer| producer.id);
        producers
    }

    /// Takes up a producer's state as [`Advance::state`] returned it. Batches at or beyond
    /// `end` did not survive and are forgotten.
    ///
    /// # Errors
    /// `Invalid` where the bytes are damaged.
    pub fn restore(&mut self, id: i64, state: Bytes, end: Offset) -> Result<()> {
        let mut producer = Producer::decode(state)?;
        producer.batches.retain(|batch| batch.base_offset < end);
        self.0.insert(id, producer);
        Ok(())
    }
}

impl Advance {
    /// The producer's state, to be written beside the batch, in the same commit.
    pub fn state(&self) -> Bytes {
        self.producer.encode()
    }

    /// The producer that is forgotten for it.
    pub fn forgotten(&self) -> Option<i64> {
        self.forgotten
    }
}

impl Producer {
    fn last_append(&self) -> Millis {
        self.batches
            .back()
            .map_or(Millis(0), |batch| batch.appended)
    }

    fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        out.put_i16(self.epoch);
        out.put_varint(self.batches.len() as u64);
        for batch in &self.batches {
            out.put_i32(batch.sequence);
            out.put_u32(batch.count);
            out.put_u64(batch.base_offset.0);
            out.put_i64(batch.appended.0);
        }
        out.freeze()
    }

    fn decode(bytes: Bytes) -> Result<Self> {
        let mut reader = Reader::new(bytes, "read producer state");
        let epoch = reader.u16()?.cast_signed();
        let count = reader.count()?;
        let batches = (0..count).map(|_| {
            Ok(Batch {
                sequence: reader.u32()?.cast_signed(),
                count: reader.u32()?,
                base_offset: Offset(reader.u64()?),
                appended: Millis(reader.i64()?),
            })
        });
        let batches = batches.collect::<Result<_>>()?;
        Ok(Self { epoch, batches })
    }
}

impl Batch {
    fn last_sequence(&self) -> i32 {
        self.sequence_after(i64::from(self.count) - 1)
    }

    fn next_sequence(&self) -> i32 {
        self.sequence_after(i64::from(self.count))
    }

    /// Sequence numbers wrap from 2^31 - 1 to 0.
    fn sequence_after(&self, messages: i64) -> i32 {
        let sequence = i64::from(self.sequence) + messages;
        i32::try_from(sequence.rem_euclid(i64::from(i32::MAX) + 1)).expect("a remainder of 2^31")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(epoch: i16, sequence: i32) -> ProducerStamp {
        ProducerStamp {
            id: 7,
            epoch,
            sequence,
        }
    }

    fn append(producers: &mut Producers, epoch: i16, sequence: i32, offset: u64) -> Bytes {
        let batch = Batch {
            sequence,
            count: 10,
            base_offset: Offset(offset),
            appended: Millis(1),
        };
        let advance = producers.with(stamp(epoch, sequence), batch, 100);
        let state = advance.state();
        producers.apply(advance);
        state
    }

    #[test]
    fn a_batch_that_got_no_place_is_still_the_next_one() {
        let mut producers = Producers::default();
        append(&mut producers, 0, 0, 100);
        let refused = Batch {
            sequence: 10,
            count: 10,
            base_offset: Offset(110),
            appended: Millis(1),
        };
        drop(producers.with(stamp(0, 10), refused, 100));
        assert_eq!(producers.check(stamp(0, 10), 10), Sequence::Next);
    }

    #[test]
    fn the_one_that_appended_longest_ago_is_forgotten_for_a_new_one() {
        let mut producers = Producers::default();
        for (id, appended) in [(1, 10), (2, 5), (3, 20), (1, 30), (4, 40)] {
            let (epoch, sequence) = (0, appended);
            let batch = Batch {
                sequence,
                count: 1,
                base_offset: Offset(0),
                appended: Millis(i64::from(appended)),
            };
            let stamp = ProducerStamp {
                id,
                epoch,
                sequence,
            };
            let advance = producers.with(stamp, batch, 3);
            assert_eq!(advance.forgotten(), (id == 4).then_some(2));
            producers.apply(advance);
        }
        let mut ids = producers.take_ids();
        ids.sort_unstable();
        assert_eq!((ids, producers.active()), (vec![1, 3, 4], vec![]));
    }

    #[test]
    fn a_repeat_is_told_with_its_offset_and_a_gap_is_refused() {
        let mut producers = Producers::default();
        append(&mut producers, 0, 0, 100);
        let state = append(&mut producers, 0, 10, 110);
        let mut restored = Producers::default();
        restored.restore(7, state, Offset(120)).unwrap();
        assert_eq!(restored, producers);
        let Sequence::Repeat(batch) = producers.check(stamp(0, 0), 10) else {
            panic!("a repeat");
        };
        assert_eq!(batch.base_offset, Offset(100));
        assert_eq!(producers.check(stamp(0, 20), 10), Sequence::Next);
        assert_eq!(producers.check(stamp(0, 30), 10), Sequence::Gap);
    }

    #[test]
    fn a_new_epoch_begins_at_zero_and_fences_the_old_one() {
        let mut producers = Producers::default();
        append(&mut producers, 1, 0, 0);
        assert_eq!(producers.check(stamp(2, 5), 1), Sequence::Gap);
        assert_eq!(producers.check(stamp(2, 0), 1), Sequence::Next);
        assert_eq!(producers.check(stamp(0, 10), 1), Sequence::Fenced);
    }

    #[test]
    fn producers_are_told_with_the_last_sequence_number_that_they_used() {
        let mut producers = Producers::default();
        assert_eq!(producers.active(), []);
        append(&mut producers, 2, 0, 100);
        append(&mut producers, 2, 10, 110);
        let active = ActiveProducer {
            id: 7,
            epoch: 2,
            last_sequence: 19,
            last_append: Some(Millis(1)),
        };
        assert_eq!(producers.active(), [active]);
    }

    #[test]
    fn sequence_numbers_wrap() {
        let mut producers = Producers::default();
        append(&mut producers, 0, i32::MAX - 4, 0);
        assert_eq!(producers.active()[0].last_sequence, 4);
        assert_eq!(producers.check(stamp(0, 5), 1), Sequence::Next);
    }

    #[test]
    fn a_batch_that_a_crash_took_is_not_a_repeat() {
        let mut producers = Producers::default();
        append(&mut producers, 0, 0, 100);
        let state = append(&mut producers, 0, 10, 110);
        let mut restored = Producers::default();
        restored.restore(7, state, Offset(110)).unwrap();
        assert_eq!(restored.check(stamp(0, 10), 10), Sequence::Next);
    }
}
