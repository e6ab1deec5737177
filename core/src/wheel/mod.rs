//! Which log an entry waits in until its time comes: a hierarchical timing wheel over store logs.
//!
//! Pure: it is told the time and holds a few octets for each bucket, never for an entry. A bucket
//! collects what is due in one slot of time; far away the slots are wide, and when a wide one comes
//! near, its entries are filed again in narrower ones. So an entry is written a bounded number of
//! times, and there is a bounded number of buckets, however many entries wait.

mod bucket;
#[cfg(test)]
mod tests;

pub use bucket::{Bucket, Kind, Level};

use std::collections::BTreeMap;

use crate::id::{LogId, Millis, PartitionId, TopicId};

/// Bucket logs are numbered from here on, beyond every real partition.
const FIRST_NUMBER: u32 = 1 << 31;

/// The buckets of one topic.
#[derive(Debug, Clone)]
pub struct Wheel {
    now: Millis,
    next_number: u32,
    buckets: BTreeMap<(Millis, Bucket), u32>,
    /// Those of which nothing is left but what cannot be read.
    aside: BTreeMap<Bucket, u32>,
    closed: bool,
}

/// Buckets that a commit brings into being; they exist once [`Wheel::filed`] hears of it.
#[derive(Debug, Default)]
pub struct Filing(BTreeMap<Bucket, u32>);

/// Where an entry goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Its time has come.
    Due,
    /// It waits in the log of this number.
    Waits {
        /// The bucket.
        bucket: Bucket,
        /// The number of its log.
        number: u32,
        /// Whether the bucket comes into being with it.
        fresh: bool,
    },
}

impl Default for Wheel {
    fn default() -> Self {
        Self {
            now: Millis(i64::MIN),
            next_number: FIRST_NUMBER,
            buckets: BTreeMap::new(),
            aside: BTreeMap::new(),
            closed: false,
        }
    }
}

impl Wheel {
    /// Time goes on, or back, as the system's clock does; but not back while a bucket is open, for one
    /// that was opened takes no more entries.
    pub fn advance(&mut self, now: Millis) {
        let is_open = self.next_opening().is_some_and(|opens| opens <= self.now);
        self.now = if is_open { self.now.max(now) } else { now };
    }

    /// The time by which it files.
    pub fn now(&self) -> Millis {
        self.now
    }

    /// Where an entry waits that is due at `due`: in the widest slot that is not open yet and whose log,
    /// by its number, `takes` entries. Where none does, for its log is damaged, it is due some seconds
    /// later.
    pub fn place(
        &mut self,
        filing: &mut Filing,
        kind: Kind,
        partition: PartitionId,
        due: Millis,
        takes: impl Fn(u32) -> bool,
    ) -> Place {
        if due <= self.now {
            return Place::Due;
        }
        let later =
            (1..).map(|seconds| (Level::Second, Millis(due.0.saturating_add(seconds * 1000))));
        let slots = Level::ALL
            .into_iter()
            .map(|level| (level, due))
            .chain(later);
        let mut candidates =
            slots.map(|(level, due)| Bucket::at(kind, partition, level, due, self.now));
        let known = |bucket: &Bucket| self.buckets.get(&(bucket.opens_at(), *bucket)).copied();
        let is_usable = |bucket: &Bucket| {
            let waits = bucket.opens_at() > self.now && !self.aside.contains_key(bucket);
            waits && known(bucket).is_none_or(&takes)
        };
        let bucket = candidates
            .find(is_usable)
            .expect("the narrowest slot opens after what is due in it");
        let (number, fresh) = match known(&bucket).or(filing.0.get(&bucket).copied()) {
            Some(number) => (number, false),
            None => (self.new_number(), true),
        };
        if fresh {
            filing.0.insert(bucket, number);
        }
        Place::Waits {
            bucket,
            number,
            fresh,
        }
    }

    /// The commit went through: its buckets exist. Returns when the first of the new ones opens.
    pub fn filed(&mut self, filing: Filing) -> Option<Millis> {
        let fresh = filing.0.into_iter();
        fresh
            .map(|(bucket, number)| {
                self.restore(bucket, number);
                bucket.opens_at()
            })
            .min()
    }

    /// A bucket that a store still holds.
    pub fn restore(&mut self, bucket: Bucket, number: u32) {
        self.buckets.insert((bucket.opens_at(), bucket), number);
        self.next_number = self.next_number.max(next(number));
    }

    /// Buckets that are open, the earliest first: nothing is added to them any more.
    pub fn open(&self) -> Vec<(Bucket, u32)> {
        let open = self.buckets.iter();
        open.take_while(|((opens, _), _)| *opens <= self.now)
            .map(|((_, bucket), number)| (*bucket, *number))
            .collect()
    }

    /// A bucket is empty and gone.
    pub fn remove(&mut self, bucket: Bucket) {
        self.buckets.remove(&(bucket.opens_at(), bucket));
    }

    /// What is left in a bucket cannot be read: it stays, and is looked at no more.
    pub fn set_aside(&mut self, bucket: Bucket) {
        if let Some(number) = self.buckets.remove(&(bucket.opens_at(), bucket)) {
            self.aside.insert(bucket, number);
        }
    }

    /// When the next bucket opens.
    pub fn next_opening(&self) -> Option<Millis> {
        self.buckets.keys().next().map(|(opens, _)| *opens)
    }

    /// Every bucket, with the number of its log.
    pub fn buckets(&self) -> impl Iterator<Item = (Bucket, u32)> + '_ {
        let buckets = self.buckets.iter();
        let buckets = buckets.map(|((_, bucket), number)| (*bucket, *number));
        buckets.chain(self.aside.iter().map(|(bucket, number)| (*bucket, *number)))
    }

    /// The topic is deleted: nothing is filed any more. Returns what there was.
    pub fn close(&mut self) -> Vec<(Bucket, u32)> {
        self.closed = true;
        let all = self.buckets().collect();
        self.buckets.clear();
        self.aside.clear();
        all
    }

    /// Whether the topic is deleted.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    fn new_number(&mut self) -> u32 {
        let mut number = self.next_number;
        while self.buckets().any(|(_, used)| used == number) {
            number = next(number);
        }
        self.next_number = next(number);
        number
    }
}

/// The log of the bucket with this number.
pub fn bucket_log(topic: TopicId, number: u32) -> LogId {
    LogId {
        topic,
        partition: PartitionId(number),
    }
}

/// Numbers are used again once all have been.
fn next(number: u32) -> u32 {
    number.wrapping_add(1).max(FIRST_NUMBER)
}
