//! Messages of a partition, found by their time.

use bytes::Bytes;
use standpipe_core::{
    Result,
    broker::{Topic, TopicBounds},
    codec::Codecs,
    entry::{Entry, Format},
    id::{Millis, Offset, PartitionId},
    store::ReadLimit,
};

use super::workers::{Workers, is_heavy, read_here};
use crate::codec::records;

/// What is read at once where every entry is looked at.
const PIECE: ReadLimit = ReadLimit {
    bytes: 1 << 20,
    entries: 4096,
};

/// An offset, the time of its message where it was found by time, and its leader epoch.
pub(super) type Found = (Offset, Option<Millis>, u32);

/// The times of a partition's messages: the producers' clocks, else ours. Its first entry may begin
/// below its start, of which nothing counts.
pub(super) struct Times<'a> {
    pub(super) workers: &'a Workers,
    pub(super) codecs: &'a Codecs,
    pub(super) topic: &'a Topic,
    pub(super) partition: PartitionId,
    pub(super) bounds: TopicBounds,
}

impl Times<'_> {
    /// The first message that is not before `at`.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn since(&self, at: Millis) -> Result<Option<Found>> {
        let Some(entry) = self.topic.entry_for_time(self.partition, at).await? else {
            return Ok(None);
        };
        if let Some(found) = self.first_since(&entry, at).await {
            return Ok(Some(found));
        }
        // What was deleted of the entry was what the store found.
        let mut from = entry.end_offset();
        while let Some(entries) = self.piece(&mut from).await? {
            for entry in &entries {
                if entry.time() < at {
                    continue;
                }
                if let Some(found) = self.first_since(entry, at).await {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    /// The message with the largest timestamp, found by halving: there is an entry at or after a time
    /// exactly up to that timestamp.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn latest(&self) -> Result<Option<Found>> {
        let (topic, partition) = (self.topic, self.partition);
        let Some(mut held) = topic.entry_for_time(partition, Millis(i64::MIN)).await? else {
            return Ok(None);
        };
        let mut beyond = i64::MAX;
        while held.time().0 < beyond {
            let low = held.time().0;
            let middle = low + (beyond.saturating_sub(low) / 2).max(1);
            match topic.entry_for_time(partition, Millis(middle)).await? {
                Some(later) => held = later,
                None if middle == low + 1 => break,
                None => beyond = middle,
            }
        }
        match self.first_since(&held, held.time()).await {
            Some(found) => Ok(Some(found)),
            None => self.latest_left(&held).await,
        }
    }

    /// The same where the first entry had that message, and it was deleted.
    async fn latest_left(&self, first: &Entry) -> Result<Option<Found>> {
        let mut found = None;
        let mut latest = Millis(i64::MIN);
        for (offset, time) in self.left_of(first).await.unwrap_or_default() {
            if found.is_none() || time > latest {
                (latest, found) = (time, Some((offset, Some(time), first.leader_epoch)));
            }
        }
        let (mut from, mut held) = (first.end_offset(), None);
        while let Some(entries) = self.piece(&mut from).await? {
            for entry in entries {
                if (found.is_none() && held.is_none()) || entry.time() > latest {
                    (latest, held) = (entry.time(), Some(entry));
                }
            }
        }
        match held {
            Some(entry) => Ok(self.first_since(&entry, entry.time()).await),
            None => Ok(found),
        }
    }

    /// The first message of an entry that is not before `at`; the entry's last where its envelope
    /// says there is one and no message does. `None` where it may be among those that were deleted.
    async fn first_since(&self, entry: &Entry, at: Millis) -> Option<Found> {
        let (start, epoch) = (self.bounds.start, entry.leader_epoch);
        let Some(left) = self.left_of(entry).await else {
            return Some((entry.base_offset.max(start), Some(entry.time()), epoch));
        };
        let since = left.into_iter().find(|(_, time)| *time >= at);
        let last = (Offset(entry.end_offset().0 - 1), Some(entry.time()), epoch);
        since
            .map(|(offset, time)| (offset, Some(time), epoch))
            .or_else(|| (entry.base_offset >= start).then_some(last))
    }

    /// The messages of an entry that are not deleted; `None` where it does not decode.
    async fn left_of(&self, entry: &Entry) -> Option<Vec<(Offset, Millis)>> {
        let times: Vec<_> = match entry.draft.format {
            // A message takes many times the memory of its time.
            Format::KAFKA2 => self.times_of(entry.body()).await?,
            _ => {
                let messages = self.codecs.decode(entry).ok()?.into_iter();
                messages
                    .map(|(_, message)| message.props.timestamp)
                    .collect()
            }
        };
        let placed = (0..).zip(times).map(|(index, time)| {
            let time = time.unwrap_or(entry.appended);
            (entry.base_offset.plus(index), time)
        });
        let left = placed.filter(|(offset, _)| *offset >= self.bounds.start);
        Some(left.collect())
    }

    async fn times_of(&self, batch: &Bytes) -> Option<Vec<Option<Millis>>> {
        if !is_heavy(batch) {
            return records::times(batch).ok();
        }
        let here = read_here(batch, |limit| records::times_within(batch, limit).ok());
        if let Some(times) = here.await {
            return Some(times);
        }
        let batch = batch.clone();
        let working = self.workers.run(move || records::times(&batch));
        working.await.ok()?.ok()
    }

    /// Entries with messages from `from` on, which then lies behind them; `None` at the stable end.
    async fn piece(&self, from: &mut Offset) -> Result<Option<Vec<Entry>>> {
        if *from >= self.bounds.stable {
            return Ok(None);
        }
        let mut entries = self.topic.read(self.partition, *from, PIECE).await?;
        let end = entries.last().map(Entry::end_offset);
        *from = end.unwrap_or(self.bounds.stable);
        entries.retain(|entry| entry.draft.visible > 0);
        Ok(Some(entries))
    }
}
