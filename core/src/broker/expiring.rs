//! What expires in a partition that lives in memory: its messages go with the process, and so does this.

use std::{collections::BTreeMap, ops::Range};

use super::{Broker, Mode, Topic, place::Stop};
use crate::id::{Millis, Offset, PartitionId};

/// Milliseconds of a slot: how late a message is settled at most, while the broker keeps up.
const WIDTH: i64 = 1_000;
/// So many ranges are kept without a look which of them are gone.
const FEW: usize = 1_024;
/// Offsets that are settled at once.
const PIECE: u64 = 4_096;

/// Offsets by the slot that they expire in, as ranges: what comes together mostly goes together, and costs
/// no more than that though it was consumed long before.
#[derive(Debug, Default)]
pub(super) struct Expiring {
    slots: BTreeMap<i64, Vec<Range<Offset>>>,
    ranges: usize,
    /// Ranges that were there when it was last looked which of them are gone.
    left: usize,
}

impl Expiring {
    /// Notes when `offset` of a log that begins at `start` expires. Returns the end of its slot where
    /// nothing was in that yet.
    fn add(&mut self, due: Millis, offset: Offset, start: Offset) -> Option<Millis> {
        if self.ranges >= FEW.max(2 * self.left) {
            self.drop_below(start);
        }
        let slot = due.0.div_euclid(WIDTH);
        let ranges = self.slots.entry(slot).or_default();
        let is_new = ranges.is_empty();
        match ranges.last_mut() {
            Some(last) if last.end == offset => last.end = offset.next(),
            _ => {
                ranges.push(offset..offset.next());
                self.ranges += 1;
            }
        }
        is_new.then(|| end_of(slot))
    }

    /// What was consumed and is gone need not expire.
    fn drop_below(&mut self, start: Offset) {
        self.slots.retain(|_, ranges| {
            ranges.retain(|range| range.end > start);
            !ranges.is_empty()
        });
        self.ranges = self.slots.values().map(Vec::len).sum();
        self.left = self.ranges;
    }

    fn next(&self) -> Option<Millis> {
        self.slots.keys().next().copied().map(end_of)
    }

    fn take_until(&mut self, now: Millis) -> Vec<Range<Offset>> {
        let mut due = Vec::new();
        while let Some(first) = self.slots.first_entry()
            && end_of(*first.key()) <= now
        {
            due.extend(first.remove());
        }
        self.ranges -= due.len();
        due
    }
}

fn end_of(slot: i64) -> Millis {
    Millis(slot.saturating_add(1).saturating_mul(WIDTH))
}

impl Broker {
    /// The message at `offset` has its place; in memory its time is noted beside it.
    pub(super) fn expires_in_memory(&self, stop: &Stop, due: Option<Millis>, offset: Offset) {
        let Some(due) = due.filter(|_| stop.topic.lives_in_memory()) else {
            return;
        };
        let partition = &stop.partition;
        let opens = partition
            .expiring
            .lock()
            .add(due, offset, partition.start());
        if let Some(opens) = opens {
            self.inner.timekeeper.arm(stop.topic.id(), opens);
        }
    }
}

impl Topic {
    /// When something expires next in memory.
    pub(super) fn next_expiring(&self) -> Option<Millis> {
        if !self.lives_in_memory() {
            return None;
        }
        let partitions = self.partitions.read();
        let next = partitions
            .iter()
            .map(|partition| partition.expiring.lock().next());
        next.flatten().min()
    }

    /// Settles what has expired in memory and nobody holds.
    pub(super) fn expire_in_memory(&self, now: Millis) {
        if !self.lives_in_memory() {
            return;
        }
        let partitions = self.partitions.read().clone();
        for (at, partition) in (0..).map(PartitionId).zip(partitions) {
            let due = partition.expiring.lock().take_until(now);
            for range in due {
                self.expire(at, range.start.max(partition.start())..range.end);
            }
        }
    }

    fn expire(&self, at: PartitionId, mut range: Range<Offset>) {
        while range.start < range.end {
            let end = range.start.plus(PIECE).min(range.end);
            let offsets: Vec<_> = (range.start.0..end.0).map(Offset).collect();
            range.start = end;
            for subscription in self.subscriptions() {
                if subscription.mode() != Mode::Positional
                    && let Err(error) = subscription.expire(at, &offsets)
                {
                    tracing::warn!(topic = %self.name(), %error, "what expired is settled later");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_together_is_one_range_and_nothing_goes_early() {
        let mut expiring = Expiring::default();
        let opens: Vec<_> = (0..1_000)
            .filter_map(|n| expiring.add(Millis(60_000 + n / 10), Offset(n as u64), Offset(0)))
            .collect();
        assert_eq!(opens, [Millis(61_000)]);
        assert_eq!(
            expiring.add(Millis(2_500), Offset(1_000), Offset(0)),
            Some(Millis(3_000))
        );
        assert_eq!(expiring.next(), Some(Millis(3_000)));
        assert_eq!(expiring.take_until(Millis(2_999)), []);
        assert_eq!(
            expiring.take_until(Millis(3_000)),
            [Offset(1_000)..Offset(1_001)]
        );
        assert_eq!(
            expiring.take_until(Millis(61_000)),
            [Offset(0)..Offset(1_000)]
        );
        assert_eq!(expiring.next(), None);
    }

    #[test]
    fn what_is_gone_is_not_kept_until_its_time() {
        let mut expiring = Expiring::default();
        for n in 0..100_000 {
            let due = if n % 2 == 0 { 60_000 } else { 86_400_000 };
            expiring.add(Millis(due), Offset(n), Offset(n.saturating_sub(10)));
        }
        assert!(expiring.ranges <= FEW, "{} ranges", expiring.ranges);
        let kept = expiring.take_until(Millis(i64::MAX));
        assert!(kept.iter().any(|range| range.start == Offset(99_990)));
        assert_eq!(expiring.ranges, 0);
    }
}
