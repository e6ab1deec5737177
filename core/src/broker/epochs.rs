//! Leader epochs of a partition: who lost a suffix of a log finds out by them (KIP-101, KIP-320).

use super::{Topic, TopicBounds};
use crate::{
    entry::Entry,
    error::Result,
    id::{Offset, PartitionId},
    store::ReadLimit,
};

/// One entry, whatever its size.
const ONE: ReadLimit = ReadLimit {
    bytes: 0,
    entries: 1,
};

impl Topic {
    /// The leader epoch of what is appended now. It rises with each recovery of the store.
    pub fn leader_epoch(&self) -> u32 {
        self.store.leader_epoch()
    }

    /// The leader epoch of the first entry that covers `from` or follows it; the current one where
    /// there is none.
    ///
    /// # Errors
    /// As [`Topic::read`].
    pub async fn epoch_at(&self, partition: PartitionId, from: Offset) -> Result<u32> {
        let entry = self.entry_from(partition, from).await?;
        Ok(entry.map_or(self.leader_epoch(), |entry| entry.leader_epoch))
    }

    /// The largest leader epoch up to `epoch`, and the offset at which a larger one begins, or the
    /// stable end. Where all that is there is of larger ones, `epoch` itself and where they begin.
    /// `None` for an epoch that was never.
    ///
    /// # Errors
    /// `NotFound` where there is no such partition, and the store's.
    pub async fn epoch_end(
        &self,
        partition: PartitionId,
        epoch: u32,
    ) -> Result<Option<(u32, Offset)>> {
        loop {
            let bounds = self.bounds(partition)?;
            match self.epoch_end_within(partition, bounds, epoch).await {
                Err(error) if self.was_trimmed(partition, bounds, &error).await => {}
                found => return found,
            }
        }
    }

    async fn epoch_end_within(
        &self,
        partition: PartitionId,
        bounds: TopicBounds,
        epoch: u32,
    ) -> Result<Option<(u32, Offset)>> {
        let current = self.leader_epoch();
        if epoch >= current {
            return Ok((epoch == current).then_some((epoch, bounds.stable)));
        }
        // Entries below `low` are of epochs up to it, those from `high` on of larger ones.
        let (mut low, mut high) = (bounds.start, bounds.stable);
        let (mut largest, mut end) = (None, bounds.stable);
        while low < high {
            let middle = Offset(low.0 + (high.0 - low.0) / 2);
            match self.entry_from(partition, middle).await? {
                Some(entry) if entry.leader_epoch <= epoch => {
                    largest = Some(entry.leader_epoch);
                    low = entry.end_offset();
                }
                Some(entry) => {
                    end = entry.base_offset;
                    high = middle.min(entry.base_offset);
                }
                None => high = middle,
            }
        }
        Ok(Some((largest.unwrap_or(epoch), end)))
    }

    async fn entry_from(&self, partition: PartitionId, from: Offset) -> Result<Option<Entry>> {
        Ok(self.read(partition, from, ONE).await?.into_iter().next())
    }
}
