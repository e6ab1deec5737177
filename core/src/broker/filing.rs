//! Filing entries in bucket logs, as part of a commit.

use parking_lot::MutexGuard;

use super::{Broker, Topic, catalog};
use crate::{
    entry::Draft,
    id::{Millis, PartitionId},
    store::Op,
    wheel::{Bucket, Filing, Kind, Place, Wheel, bucket_log},
};

/// A topic's wheel while a commit is made that files entries in it. Tails are locked before
/// wheels, and both in the order of their topics.
pub(super) struct FilingIn<'a> {
    topic: &'a Topic,
    wheel: MutexGuard<'a, Wheel>,
    filing: Filing,
}

impl<'a> FilingIn<'a> {
    /// Locks the wheel, and tells it the time; `None` where the topic was deleted, and with it all
    /// that could be filed.
    pub(super) fn begin(topic: &'a Topic) -> Option<Self> {
        let mut wheel = topic.wheel.lock();
        if wheel.is_closed() {
            return None;
        }
        wheel.advance(Millis::now());
        Some(Self {
            topic,
            wheel,
            filing: Filing::default(),
        })
    }

    /// Adds what files `draft` until `due`; gives it back where that has come.
    pub(super) fn file(
        &mut self,
        ops: &mut Vec<Op>,
        kind: Kind,
        at: PartitionId,
        due: Millis,
        draft: Draft,
    ) -> Option<Draft> {
        let topic = self.topic.id();
        let takes = |number| self.topic.store.damage(bucket_log(topic, number)).is_none();
        let place = self.wheel.place(&mut self.filing, kind, at, due, takes);
        let Place::Waits {
            bucket,
            number,
            fresh,
        } = place
        else {
            return Some(draft);
        };
        if fresh {
            ops.push(catalog::put_bucket(topic, bucket, number));
        }
        let log = bucket_log(topic, number);
        ops.push(Op::Append { log, draft });
        None
    }

    /// As [`FilingIn::file`], in a bucket that opens soon where `due` has come.
    pub(super) fn file_at_least(
        &mut self,
        ops: &mut Vec<Op>,
        kind: Kind,
        at: PartitionId,
        due: Millis,
        draft: Draft,
    ) {
        let soonest = Millis(self.wheel.now().0.saturating_add(1));
        let filed = self.file(ops, kind, at, due.max(soonest), draft);
        debug_assert!(filed.is_none(), "later than the wheel's own time");
    }

    /// The commit has its place: the new buckets exist, and `emptied` does not any more.
    pub(super) fn done(mut self, broker: &Broker, emptied: Option<Bucket>) {
        if let Some(bucket) = emptied {
            self.wheel.remove(bucket);
        }
        if let Some(opens) = self.wheel.filed(self.filing) {
            broker.inner.timekeeper.arm(self.topic.id(), opens);
        }
    }
}
