//! Batches that were decoded a moment ago, for those who take their messages a few at a time.

use std::{collections::VecDeque, sync::Arc};

use bytes::BytesMut;
use parking_lot::Mutex;

use crate::{
    codec::Codecs,
    entry::Entry,
    error::Result,
    id::{LogId, Millis, Offset},
    message::{Message, Parts},
    native::{put_message, take_message},
};

/// Octets of the largest batch that is kept.
const BATCH: usize = 16 << 20;
/// Octets of all batches that are kept, over all topics.
const ALL: usize = 64 << 20;
/// Batches that are kept: they are looked through one by one.
const COUNT: usize = 64;
/// A batch larger than this is not held in memory by a message that is a small part of it.
const LARGE: usize = 1 << 20;
/// What is a small part: one in so many octets.
const SMALL: usize = 16;

/// The messages of an entry that holds several.
#[derive(Debug)]
pub(super) struct Batch {
    log: LogId,
    entry: Entry,
    messages: Vec<(Offset, Message)>,
    octets: usize,
}

impl Batch {
    /// # Errors
    /// As [`Codecs::decode`].
    fn decode(log: LogId, entry: &Entry, codecs: &Codecs) -> Result<Self> {
        let messages = codecs.decode(entry)?;
        let octets = messages.iter().map(|(_, message)| footprint(message)).sum();
        Ok(Self {
            log,
            entry: entry.clone(),
            messages,
            octets,
        })
    }

    pub(super) fn entry(&self) -> &Entry {
        &self.entry
    }

    /// The message at `offset`.
    pub(super) fn message(&self, offset: Offset) -> Option<Message> {
        let found = self.messages.binary_search_by_key(&offset, |(at, _)| *at);
        found.ok().map(|at| self.take(&self.messages[at].1))
    }

    /// The messages from `offset` on.
    pub(super) fn onward(&self, offset: Offset) -> impl Iterator<Item = (Offset, Message)> + '_ {
        let first = self.messages.partition_point(|(at, _)| *at < offset);
        let rest = self.messages[first..].iter();
        rest.map(|(at, message)| (*at, self.take(message)))
    }

    /// The first message that is not before `at`, by its producer's clock, else ours.
    pub(super) fn first_since(&self, at: Millis) -> Option<Offset> {
        let time = |message: &Message| message.props.timestamp.unwrap_or(self.entry.appended);
        let found = self
            .messages
            .iter()
            .find(|(_, message)| time(message) >= at);
        found.map(|(offset, _)| *offset)
    }

    fn is(&self, log: LogId, offset: Offset) -> bool {
        self.log == log && self.entry.covers(offset)
    }

    fn take(&self, message: &Message) -> Message {
        match self.octets > LARGE && message.size() < self.octets / SMALL {
            true => apart(message),
            false => message.clone(),
        }
    }
}

/// The batches that were decoded last; they go when the last message of theirs was taken.
#[derive(Debug, Default)]
pub(super) struct Shelf(Mutex<VecDeque<Arc<Batch>>>);

impl Shelf {
    /// The batch that holds `offset` of a log.
    pub(super) fn find(&self, log: LogId, offset: Offset) -> Option<Arc<Batch>> {
        let kept = self.0.lock();
        kept.iter().find(|batch| batch.is(log, offset)).cloned()
    }

    /// The batch of an entry: the one that is kept, else decoded and kept.
    ///
    /// # Errors
    /// As [`Codecs::decode`].
    pub(super) fn batch(&self, log: LogId, entry: &Entry, codecs: &Codecs) -> Result<Arc<Batch>> {
        if let Some(batch) = self.find(log, entry.base_offset) {
            return Ok(batch);
        }
        let batch = Arc::new(Batch::decode(log, entry, codecs)?);
        self.keep(&batch);
        Ok(batch)
    }

    /// Keeps a batch for as long as there is room.
    fn keep(&self, batch: &Arc<Batch>) {
        if batch.octets > BATCH {
            return;
        }
        let mut kept = self.0.lock();
        kept.push_front(batch.clone());
        let mut octets: usize = kept.iter().map(|batch| batch.octets).sum();
        while octets > ALL || kept.len() > COUNT {
            octets -= kept.pop_back().map_or(0, |oldest| oldest.octets);
        }
    }

    /// The message at `offset` was taken: behind the last one nobody is likely to ask again.
    pub(super) fn taken(&self, batch: &Batch, offset: Offset) {
        if offset.next() >= batch.entry.end_offset() {
            let mut kept = self.0.lock();
            kept.retain(|other| !other.is(batch.log, offset));
        }
    }
}

/// The same message in memory of its own.
fn apart(message: &Message) -> Message {
    let mut octets = BytesMut::with_capacity(message.size() + 64);
    put_message(&mut octets, message);
    match take_message(octets.freeze(), &mut Parts::default()) {
        Ok(copy) => Message {
            annotations: message.annotations.clone(),
            ..copy
        },
        // More headers than this encoding carries: it stays where it is.
        Err(_) => message.clone(),
    }
}

fn footprint(message: &Message) -> usize {
    size_of::<Message>() + message.footprint()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        entry::Draft,
        id::{Millis, PartitionId, TopicId},
        native::NativeCodec,
    };

    fn batch(log: LogId, base: u64, payloads: &[usize]) -> Arc<Batch> {
        let messages: Vec<_> = payloads
            .iter()
            .map(|octets| Message::new(vec![7; *octets]).with_header("h", "v"))
            .collect();
        let draft: Draft = NativeCodec::encode_batch(&messages);
        let entry = Entry {
            base_offset: Offset(base),
            appended: Millis(5),
            leader_epoch: 0,
            draft,
        };
        Arc::new(Batch::decode(log, &entry, &Codecs::default()).unwrap())
    }

    fn log() -> LogId {
        LogId {
            topic: TopicId::random(),
            partition: PartitionId(0),
        }
    }

    #[test]
    fn the_newest_are_kept_and_a_batch_goes_with_its_last_message() {
        let (shelf, log) = (Shelf::default(), log());
        for number in 0..COUNT as u64 + 1 {
            shelf.keep(&batch(log, number * 2, &[1, 1]));
        }
        assert!(shelf.find(log, Offset(1)).is_none(), "the oldest made room");
        let second = shelf.find(log, Offset(3)).unwrap();
        shelf.taken(&second, Offset(2));
        assert!(shelf.find(log, Offset(3)).is_some());
        shelf.taken(&second, Offset(3));
        assert!(shelf.find(log, Offset(3)).is_none());
        assert!(shelf.find(self::log(), Offset(5)).is_none(), "another log");
    }

    #[test]
    fn all_that_is_kept_is_bounded_in_octets() {
        let (shelf, log) = (Shelf::default(), log());
        let large = BATCH - 4_096;
        for number in 0..5 {
            shelf.keep(&batch(log, number * 2, &[1, large]));
        }
        let kept = (0..5).filter(|number| shelf.find(log, Offset(number * 2)).is_some());
        assert_eq!(kept.count(), 4);
        shelf.keep(&batch(log, 100, &[1, BATCH]));
        assert!(
            shelf.find(log, Offset(100)).is_none(),
            "too large by itself"
        );
    }

    #[test]
    fn a_small_part_of_a_large_batch_does_not_hold_it() {
        let batch = batch(log(), 10, &[3, LARGE]);
        let taken = batch.message(Offset(10)).unwrap();
        let rest: Vec<_> = batch.onward(Offset(10)).collect();
        assert_eq!(rest[0], (Offset(10), taken.clone()));
        assert_eq!(taken, batch.messages[0].1);
        let within = batch.entry.body().as_ptr_range();
        let payload = |message: &Message| message.payload.as_ref().unwrap().as_ptr();
        assert!(!within.contains(&payload(&taken)), "memory of its own");
        assert!(within.contains(&payload(&rest[1].1)), "no copy");
    }
}
