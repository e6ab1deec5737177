//! Retention by key: a log is read in pieces, and what a newer message replaces is forgotten.

use std::{ops::Range, sync::Arc};

use tokio::time::Instant;

use super::super::{Broker, Topic, catalog, partition::Partition};
use crate::{
    compaction::{Compaction, Fit, Keys, Part, Record, Round, Span, Verdict},
    entry::Entry,
    error::{ErrorKind, Result},
    id::{Millis, Offset, PartitionId},
    store::{Op, ReadLimit},
};

/// Keys that one round knows the newest message of: 32 MiB at most, one round at a time.
const KEYS: usize = 900_000;
/// What is read at once.
const PIECE: ReadLimit = ReadLimit {
    bytes: 256 << 10,
    entries: 4096,
};
/// Steps of one commit.
const OPS: usize = 1024;

impl Broker {
    /// One round over each partition of all compacted topics where that is worth it.
    pub(in crate::broker) async fn compact(&self, now: Millis) {
        let topics: Vec<_> = self.inner.state.read().by_id.values().cloned().collect();
        for topic in topics {
            for at in (0..topic.partition_count()).map(PartitionId) {
                let Some(policy) = topic.retention().compaction() else {
                    break;
                };
                if let Err(error) = self.compact_partition(&topic, at, policy, now).await {
                    tracing::warn!(topic = %topic.name(), partition = %at, %error, "not compacted");
                }
            }
            tokio::task::yield_now().await;
        }
    }

    async fn compact_partition(
        &self,
        topic: &Arc<Topic>,
        at: PartitionId,
        policy: Compaction,
        now: Millis,
    ) -> Result<()> {
        let partition = topic.partition(at)?;
        let progress = partition.compacted.lock().clone().unwrap_or_default();
        let span = Span {
            start: partition.start(),
            stable: partition.stable(),
        };
        if span.start >= span.stable {
            return Ok(());
        }
        let octets = topic.store.bounds(partition.log).await?.octets;
        if !progress.is_due(span.stable, octets, now, &policy) {
            return Ok(());
        }
        let work = Work {
            broker: self,
            topic,
            partition: &partition,
            at,
            keys: Keys::default(),
            round: Round::new(progress, span, policy, now, KEYS),
            ops: Vec::new(),
        };
        work.run(now).await
    }
}

/// A round on its way.
struct Work<'a> {
    broker: &'a Broker,
    topic: &'a Arc<Topic>,
    partition: &'a Partition,
    at: PartitionId,
    keys: Keys,
    round: Round,
    ops: Vec<Op>,
}

impl Work<'_> {
    async fn run(mut self, now: Millis) -> Result<()> {
        let begun = Instant::now();
        while let Some(ask) = self.round.ask() {
            let from = ask.range.start.max(self.partition.start());
            let entries = match self.topic.read(self.at, from, PIECE).await {
                Ok(entries) => entries,
                // Trimmed meanwhile: the next look begins at the new start.
                Err(error)
                    if error.kind() == ErrorKind::NotFound && self.partition.start() > from =>
                {
                    continue;
                }
                Err(error) => return Err(error),
            };
            let held = self.held(&entries);
            let mut rest = entries.iter().peekable();
            while self.round.wants(&ask)
                && let Some(entry) = rest.next_if(|entry| entry.base_offset < ask.range.end)
            {
                self.take(entry, &held);
            }
            // Nothing at all, or something that lies behind what was asked for.
            if self.round.wants(&ask) && (entries.is_empty() || rest.peek().is_some()) {
                self.round.pass(ask.range.end);
            }
            if self.ops.len() >= OPS && !self.submit().await? {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
        self.finish(now.after(begun.elapsed())).await
    }

    fn take(&mut self, entry: &Entry, held: &[Offset]) {
        let part = self.part(entry, held);
        let range = part.range.clone();
        if self.round.take(&part) == Verdict::Forget {
            self.forget(range);
        }
    }

    fn part(&self, entry: &Entry, held: &[Offset]) -> Part {
        let range = entry.base_offset..entry.end_offset();
        let first = held.partition_point(|offset| *offset < range.start);
        let is_held = held.get(first).is_some_and(|offset| *offset < range.end);
        let decoded = self.broker.codecs().decode(entry);
        let records = decoded.map(|messages| {
            let records = messages.into_iter().map(|(offset, message)| Record {
                offset,
                key: message.key.as_deref().map(|key| self.keys.of(key)),
                is_tombstone: message.key.is_some() && message.payload.is_none(),
            });
            records.collect()
        });
        Part {
            range,
            appended: entry.appended,
            fit: if is_held { Fit::Held } else { Fit::Whole },
            records: records.ok(),
        }
    }

    /// What consumers hold of these entries: it stays until they are through with it.
    fn held(&self, entries: &[Entry]) -> Vec<Offset> {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            return Vec::new();
        };
        let range = first.base_offset..last.end_offset();
        let subscriptions = self.topic.subscriptions();
        let held = subscriptions
            .iter()
            .flat_map(|subscription| subscription.leased_in(self.at, &range));
        let mut held: Vec<_> = held.collect();
        held.sort_unstable();
        held
    }

    fn forget(&mut self, range: Range<Offset>) {
        let log = self.partition.log;
        if let Some(Op::Forget { range: last, .. }) = self.ops.last_mut()
            && last.end == range.start
        {
            last.end = range.end;
            return;
        }
        self.ops.push(Op::Forget { log, range });
    }

    /// `false` where the topic is gone or not compacted any more.
    async fn submit(&mut self) -> Result<bool> {
        let ops = std::mem::take(&mut self.ops);
        let still = || self.topic.retention().compaction().is_some();
        self.broker.submit_while(self.topic, ops, still).await
    }

    async fn finish(mut self, now: Millis) -> Result<()> {
        let Some(progress) = self.round.progress(now) else {
            return Ok(());
        };
        let key = catalog::compacted(self.partition.log);
        self.ops.push(catalog::put(key, &progress));
        if self.submit().await? {
            *self.partition.compacted.lock() = Some(progress);
        }
        Ok(())
    }
}
