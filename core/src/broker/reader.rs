//! Positional reading for protocols that have no fetch of their own (native, gRPC).

use std::{pin::pin, sync::Arc};

use super::{Broker, Content, Delivery, GroupOffset, Topic, source::READ_BYTES};
use crate::{
    dispatcher::Receipt,
    driver::StartAt,
    entry::{Entry, Flags},
    error::{ErrorKind, Result},
    id::{LogId, Millis, Offset, PartitionId},
    store::ReadLimit,
};

/// Walks every partition of a topic from where it was placed. Without a group it remembers nothing.
#[derive(Debug)]
pub struct PositionalReader {
    broker: Broker,
    topic: Arc<Topic>,
    group: Option<Arc<str>>,
    next: Vec<Offset>,
    turn: usize,
}

impl Broker {
    /// The offset that a start means on a partition.
    ///
    /// # Errors
    /// `NotFound` for a partition that does not exist, and the store's.
    pub async fn resolve(
        &self,
        topic: &Topic,
        partition: PartitionId,
        start: StartAt,
    ) -> Result<Offset> {
        let bounds = topic.bounds(partition)?;
        Ok(match start {
            StartAt::Earliest => bounds.start,
            StartAt::Latest => bounds.stable,
            StartAt::Offset(offset) => offset.clamp(bounds.start, bounds.stable),
            StartAt::Time(at) => match topic.entry_for_time(partition, at).await? {
                Some(entry) => {
                    let log = topic.partition(partition)?.log;
                    self.first_since(log, &entry, at).max(bounds.start)
                }
                None => bounds.stable,
            },
        })
    }

    /// The first message of an entry that is not before `at`: its first where it does not decode.
    fn first_since(&self, log: LogId, entry: &Entry, at: Millis) -> Offset {
        if entry.draft.span == 1 {
            return entry.base_offset;
        }
        let batch = self.inner.decoded.batch(log, entry, &self.inner.codecs);
        let since = batch.ok().and_then(|batch| batch.first_since(at));
        since.unwrap_or(entry.base_offset)
    }

    /// A reader of a topic. With a group it starts at what the group committed, else at `start`.
    ///
    /// # Errors
    /// `Conflict` where the group's name is that of a lease subscription, and the store's.
    pub async fn positional_reader(
        &self,
        topic: &Arc<Topic>,
        group: Option<&str>,
        start: StartAt,
    ) -> Result<PositionalReader> {
        if let Some(group) = group {
            self.check_mode(topic.namespace(), group, super::Mode::Positional)?;
        }
        let mut next = Vec::new();
        for partition in (0..topic.partition_count()).map(PartitionId) {
            next.push(self.resolve(topic, partition, start).await?);
        }
        let offsets = group.map(|group| self.group_offsets_on(topic, group));
        for stored in offsets.into_iter().flatten() {
            if let Some(next) = next.get_mut(stored.offset.partition.0 as usize) {
                let bounds = topic.bounds(stored.offset.partition)?;
                *next = stored.offset.offset.clamp(bounds.start, bounds.stable);
            }
        }
        Ok(PositionalReader {
            broker: self.clone(),
            topic: topic.clone(),
            group: group.map(Arc::from),
            next,
            turn: 0,
        })
    }
}

impl PositionalReader {
    /// The next messages, at least one, at most `limit`, of one partition; waits where there are
    /// none. What does not decode is skipped, with its offset in the log. Cancel-safe.
    ///
    /// # Errors
    /// `NotFound` once the topic is deleted, and the store's.
    pub async fn recv(&mut self, limit: usize) -> Result<Vec<Delivery>> {
        loop {
            self.follow();
            for step in 0..self.next.len() {
                let index = (self.turn + step) % self.next.len();
                let deliveries = self.read(PartitionId(index as u32), limit).await?;
                if !deliveries.is_empty() {
                    self.turn = index + 1;
                    return Ok(deliveries);
                }
            }
            self.wait().await?;
        }
    }

    /// Where it reads next on a partition.
    pub fn position(&self, partition: PartitionId) -> Option<Offset> {
        self.next.get(partition.0 as usize).copied()
    }

    /// Moves it on one partition.
    ///
    /// # Errors
    /// As [`Broker::resolve`].
    pub async fn seek(&mut self, partition: PartitionId, to: StartAt) -> Result<()> {
        let offset = self.broker.resolve(&self.topic, partition, to).await?;
        self.follow();
        if let Some(next) = self.next.get_mut(partition.0 as usize) {
            *next = offset;
        }
        Ok(())
    }

    /// Everything below `offset` is done; on disk when this returns. Without a group nothing is
    /// remembered.
    ///
    /// # Errors
    /// As [`Broker::group_commit`].
    pub async fn commit(&self, partition: PartitionId, offset: Offset) -> Result<()> {
        let Some(group) = &self.group else {
            return Ok(());
        };
        let offset = GroupOffset {
            topic: self.topic.name().to_string(),
            partition,
            offset,
            leader_epoch: -1,
            metadata: bytes::Bytes::new(),
        };
        let (namespace, offsets) = (self.topic.namespace(), [offset]);
        self.broker
            .group_commit(namespace, group, &offsets)
            .await?
            .await
    }

    /// Partitions that were added are read from their beginning.
    fn follow(&mut self) {
        let count = self.topic.partition_count() as usize;
        self.next.resize(count.max(self.next.len()), Offset::ZERO);
    }

    async fn wait(&self) -> Result<()> {
        let mut grown = pin!(self.topic.grown.notified());
        grown.as_mut().enable();
        if self.topic.partition_count() as usize > self.next.len() {
            return Ok(());
        }
        if self.topic.is_gone() {
            return Err(super::publish::no_topic(
                self.topic.namespace(),
                self.topic.name(),
            ));
        }
        let next = self.next.iter().enumerate();
        let changes = next
            .map(|(index, next)| Box::pin(self.topic.changed(PartitionId(index as u32), *next)));
        tokio::select! {
            _ = futures::future::select_all(changes) => {}
            () = grown => {}
        }
        Ok(())
    }

    async fn read(&mut self, partition: PartitionId, limit: usize) -> Result<Vec<Delivery>> {
        let bounds = self.topic.bounds(partition)?;
        let from = self.next[partition.0 as usize].max(bounds.start);
        let log = self.topic.partition(partition)?.log;
        let entries = match self.broker.inner.decoded.find(log, from) {
            Some(batch) if from < bounds.stable => vec![batch.entry().clone()],
            _ => match self.entries(partition, log, from, limit.max(1)).await? {
                Ok(entries) => entries,
                Err(start) => {
                    self.next[partition.0 as usize] = start;
                    return Ok(Vec::new());
                }
            },
        };
        let mut taking = Taking {
            deliveries: Vec::new(),
            octets: 0,
            limit,
        };
        let mut next = match entries.is_empty() {
            true => from.max(bounds.stable),
            false => from,
        };
        for entry in &entries {
            if taking.is_full() {
                break;
            }
            next = self.take((partition, log), entry, next, &mut taking);
        }
        self.next[partition.0 as usize] = next;
        Ok(taking.deliveries)
    }

    /// What is there from an offset on; where that was trimmed meanwhile, the new start.
    pub(super) async fn entries(
        &self,
        partition: PartitionId,
        log: LogId,
        from: Offset,
        entries: usize,
    ) -> Result<Result<Vec<Entry>, Offset>> {
        let bytes = READ_BYTES;
        let limit = ReadLimit { bytes, entries };
        match self.topic.read(partition, from, limit).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // Readers may hear of it before the store lets go, or after.
                let start = self.topic.store.bounds(log).await?.start;
                let start = start.max(self.topic.bounds(partition)?.start);
                if start > from {
                    Ok(Err(start))
                } else {
                    Err(error)
                }
            }
            read => read.map(Ok),
        }
    }

    /// Takes the messages of an entry from `from` on; returns where to go on.
    fn take(
        &self,
        (partition, log): (PartitionId, LogId),
        entry: &Entry,
        from: Offset,
        taking: &mut Taking,
    ) -> Offset {
        let delivery = |offset, content| Delivery {
            receipt: Receipt {
                partition,
                offset,
                lease: 0,
            },
            topic: self.topic.name().clone(),
            attempts: 0,
            redelivered: false,
            content,
        };
        let draft = &entry.draft;
        if draft.flags.contains(Flags::CONTROL) || draft.visible == 0 {
            return entry.end_offset();
        }
        if draft.span == 1 {
            taking.push(delivery(entry.base_offset, Content::Raw(entry.clone())));
            return entry.end_offset();
        }
        let inner = &self.broker.inner;
        let batch = match inner.decoded.batch(log, entry, &inner.codecs) {
            Ok(batch) => batch,
            Err(error) => {
                debug_assert!(error.kind() != ErrorKind::NotFound);
                tracing::warn!(topic = %self.topic.name(), offset = %entry.base_offset, %error, "unconvertible: skipped");
                return entry.end_offset();
            }
        };
        for (offset, message) in batch.onward(from) {
            if taking.is_full() {
                return offset;
            }
            taking.push(delivery(offset, Content::Decoded(Box::new(message))));
            inner.decoded.taken(&batch, offset);
        }
        entry.end_offset()
    }
}

/// What one call gives: a number of messages, and hardly more octets than are read at once.
struct Taking {
    deliveries: Vec<Delivery>,
    octets: usize,
    limit: usize,
}

impl Taking {
    fn is_full(&self) -> bool {
        self.deliveries.len() >= self.limit || self.octets >= READ_BYTES
    }

    fn push(&mut self, delivery: Delivery) {
        self.octets += delivery.size();
        self.deliveries.push(delivery);
    }
}
