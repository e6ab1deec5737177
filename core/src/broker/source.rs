//! Messages out of a log, for whoever has leased their offsets.

use std::{ops::Range, sync::Arc};

use super::{Content, Delivery, Inner, Topic, decoded::Batch, expiry::is_expired};
use crate::{
    dispatcher::Grant,
    entry::{Entry, Flags},
    error::{Error, ErrorKind, Result},
    id::{LogId, Millis, Offset, PartitionId},
    store::ReadLimit,
};

/// Octets read from a log at once.
pub(super) const READ_BYTES: usize = 1 << 20;
/// Entries read at once where the offsets lie further apart than a number of entries says.
const READ_ENTRIES: usize = 256;

/// What is at an offset.
pub(super) enum Found {
    Message(Content),
    /// No message from the offset asked for up to this one.
    Nothing(Offset),
    Expired,
    /// What is stored is damaged: only a person gives it up, so it is settled for nobody.
    Damaged(Error),
}

/// Entries read ahead on one partition, and the batch that was decoded last.
pub(super) struct Source<'a> {
    topic: &'a Topic,
    broker: &'a Inner,
    partition: PartitionId,
    entries: Vec<Entry>,
    /// Where nothing was found: forgotten, or trimmed since it was granted.
    hole: Range<Offset>,
    batch: Option<Arc<Batch>>,
}

impl<'a> Source<'a> {
    pub(super) fn new(topic: &'a Topic, broker: &'a Inner) -> Self {
        Self {
            topic,
            broker,
            partition: PartitionId(0),
            entries: Vec::new(),
            hole: Offset::ZERO..Offset::ZERO,
            batch: None,
        }
    }

    /// What is at `offset`; reads up to `last` where it reads at all.
    ///
    /// # Errors
    /// The store's, and as [`Codecs::decode`](crate::codec::Codecs::decode).
    pub(super) async fn find(
        &mut self,
        partition: PartitionId,
        offset: Offset,
        last: Offset,
    ) -> Result<Found> {
        let is_known = self.hole.contains(&offset) || self.covering(offset).is_some();
        if partition != self.partition || !is_known {
            match self.look(partition, offset, last).await {
                Err(error) if error.kind() == ErrorKind::Corrupt => {
                    return Ok(Found::Damaged(error));
                }
                looked => looked?,
            }
        }
        let Some(at) = self.covering(offset) else {
            return Ok(Found::Nothing(self.hole.end));
        };
        let entry = &self.entries[at];
        let draft = &entry.draft;
        if draft.flags.contains(Flags::CONTROL) || draft.visible == 0 {
            return Ok(Found::Nothing(entry.end_offset()));
        }
        if is_expired(entry, Millis::now()) {
            return Ok(Found::Expired);
        }
        if draft.span == 1 && draft.visible == 1 {
            return Ok(Found::Message(Content::Raw(entry.clone())));
        }
        let batch = self.batch_of(at)?;
        let message = batch.message(offset);
        self.broker.decoded.taken(&batch, offset);
        Ok(message.map_or(Found::Nothing(offset.next()), |message| {
            Found::Message(Content::Decoded(Box::new(message)))
        }))
    }

    fn batch_of(&mut self, at: usize) -> Result<Arc<Batch>> {
        let entry = &self.entries[at];
        let base = entry.base_offset;
        let held = self.batch.as_ref();
        if let Some(batch) = held.filter(|batch| batch.entry().base_offset == base) {
            return Ok(batch.clone());
        }
        let log = self.topic.partition(self.partition)?.log;
        let batch = self.broker.decoded.batch(log, entry, &self.broker.codecs)?;
        self.batch = Some(batch.clone());
        Ok(batch)
    }

    fn covering(&self, offset: Offset) -> Option<usize> {
        let behind = self
            .entries
            .partition_point(|entry| entry.end_offset() <= offset);
        self.entries
            .get(behind)
            .filter(|entry| entry.covers(offset))
            .map(|_| behind)
    }

    /// Looks among what was decoded before, and then in the log.
    async fn look(&mut self, partition: PartitionId, offset: Offset, last: Offset) -> Result<()> {
        let log = self.topic.partition(partition)?.log;
        self.partition = partition;
        // Whatever comes of it: what is held of another partition is no answer for this one.
        self.entries.clear();
        self.hole = offset..offset;
        self.batch = self.broker.decoded.find(log, offset);
        if let Some(batch) = &self.batch {
            self.entries.push(batch.entry().clone());
            return Ok(());
        }
        self.read(log, offset, last).await
    }

    async fn read(&mut self, log: LogId, offset: Offset, last: Offset) -> Result<()> {
        let partition = self.topic.partition(self.partition)?;
        // Told before the read: what is below and not found is gone for good.
        let leasable = partition.leasable();
        let limit = ReadLimit {
            bytes: READ_BYTES,
            entries: usize::try_from(last.0 - offset.0 + 1).unwrap_or(READ_ENTRIES),
        };
        let next = match self.topic.store.read(log, offset, limit).await {
            Ok(entries) => {
                self.entries = entries;
                self.entries.first().map_or(leasable, |e| e.base_offset)
            }
            // Trimmed since it was granted: what is below the new start is no message any more.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.entries = Vec::new();
                self.topic.store.bounds(log).await?.start
            }
            Err(error) => return Err(error),
        };
        let is_there = self.covering(offset).is_some();
        let end = next.min(leasable).max(partition.start());
        self.hole = offset..if is_there {
            offset
        } else {
            end.max(offset.next())
        };
        Ok(())
    }
}

/// Whether no later try can deliver it: it does not decode.
pub(super) fn is_lost(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Invalid | ErrorKind::Unsupported | ErrorKind::Corrupt
    )
}

pub(super) fn delivery(topic: &Topic, grant: &Grant, content: Content) -> Delivery {
    Delivery {
        receipt: grant.receipt,
        topic: topic.name().clone(),
        attempts: grant.attempts,
        redelivered: grant.redelivered,
        content,
    }
}
