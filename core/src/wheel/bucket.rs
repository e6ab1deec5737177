//! A slot of time, for one partition and one purpose.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::id::{Millis, PartitionId, TopicId};

/// What entries wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// To be delivered: the entry is the message itself.
    Delivery = 0,
    /// To expire: the entry names the message's offset.
    Expiry = 1,
}

/// How wide a slot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Level {
    /// 24 hours.
    Day = 0,
    /// One hour.
    Hour = 1,
    /// One minute.
    Minute = 2,
    /// One second: how late an entry is at most, while the broker keeps up.
    Second = 3,
}

/// Days ahead that have a slot of their own; what is due later waits in the last of them, and is
/// filed again from there.
const DAYS_AHEAD: i64 = 400;

/// What is due in one slot, for one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket {
    /// The slot's number at its level, from the Unix epoch.
    pub slot: i64,
    /// How wide the slot is.
    pub level: Level,
    /// What the entries wait for.
    pub kind: Kind,
    /// The partition that they are for.
    pub partition: PartitionId,
}

impl Level {
    /// From wide to narrow.
    pub const ALL: [Self; 4] = [Self::Day, Self::Hour, Self::Minute, Self::Second];

    /// Milliseconds of a slot.
    pub fn width(self) -> i64 {
        match self {
            Self::Day => 86_400_000,
            Self::Hour => 3_600_000,
            Self::Minute => 60_000,
            Self::Second => 1_000,
        }
    }

    /// How long before its slot begins a bucket is opened, so that its first entries are filed
    /// again in time even where there are millions of them. The narrowest is not filed again.
    fn lead(self) -> i64 {
        match self {
            Self::Day => 600_000,
            Self::Hour => 60_000,
            Self::Minute => 5_000,
            Self::Second => 0,
        }
    }
}

impl Bucket {
    pub(super) fn at(
        kind: Kind,
        partition: PartitionId,
        level: Level,
        due: Millis,
        now: Millis,
    ) -> Self {
        let width = level.width();
        let slot = due.0.div_euclid(width);
        let slot = match level {
            Level::Day => slot.min(now.0.div_euclid(width).saturating_add(DAYS_AHEAD)),
            _ => slot,
        };
        Self {
            slot,
            level,
            kind,
            partition,
        }
    }

    /// From then on nothing is added, and what it holds is moved: to its partition once its second
    /// is over, else to narrower slots.
    pub fn opens_at(&self) -> Millis {
        let start = self.begins_at().0;
        Millis(match self.level {
            Level::Second => start.saturating_add(self.level.width()),
            level => start.saturating_sub(level.lead()),
        })
    }

    /// Nothing in it is due before.
    pub fn begins_at(&self) -> Millis {
        Millis(self.slot.saturating_mul(self.level.width()))
    }

    /// The key in the store's catalog, which begins with `prefix`.
    pub fn key(&self, prefix: &[u8], topic: TopicId) -> Bytes {
        let mut key = BytesMut::from(prefix);
        key.put_slice(topic.0.as_bytes());
        key.put_u8(self.kind as u8);
        key.put_u32(self.partition.0);
        key.put_u8(self.level as u8);
        key.put_i64(self.slot);
        key.freeze()
    }

    /// Reads a key that [`Bucket::key`] made.
    pub fn parse(prefix: &[u8], key: &[u8]) -> Option<(TopicId, Self)> {
        let mut rest = key.strip_prefix(prefix)?;
        if rest.len() != 16 + 1 + 4 + 1 + 8 {
            return None;
        }
        let topic = TopicId(uuid::Uuid::from_u128(rest.get_u128()));
        let kind = match rest.get_u8() {
            0 => Kind::Delivery,
            1 => Kind::Expiry,
            _ => return None,
        };
        let partition = PartitionId(rest.get_u32());
        let level = *Level::ALL.get(usize::from(rest.get_u8()))?;
        let slot = rest.get_i64();
        let bucket = Self {
            slot,
            level,
            kind,
            partition,
        };
        Some((topic, bucket))
    }
}
