//! What of a log cannot be read, and for how long that holds up what is behind it.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use crate::id::{Offset, PartitionId};

/// How long a partition waits for what cannot be read: most reasons pass, and order is kept meanwhile.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long its other offsets get no such patience after that: one lost sector takes many with it.
const LOST: Duration = Duration::from_mins(1);

/// Partitions with something that could not be read.
#[derive(Debug, Default)]
pub(super) struct Unreadable(HashMap<PartitionId, Trouble>);

#[derive(Debug)]
struct Trouble {
    at: Offset,
    since: Instant,
    lost: Option<Instant>,
}

impl Unreadable {
    /// An offset could not be read by itself. Whether it is passed over from now on.
    pub(super) fn failed(&mut self, partition: PartitionId, at: Offset, now: Instant) -> bool {
        let new = || Trouble {
            at,
            since: now,
            lost: None,
        };
        let trouble = self.0.entry(partition).or_insert_with(new);
        if trouble.lost.is_some_and(|since| now - since < LOST) {
            return true;
        }
        if trouble.at != at {
            *trouble = new();
        }
        let is_lost = now - trouble.since >= PATIENCE;
        trouble.lost = is_lost.then_some(now);
        is_lost
    }

    /// An offset was read: where it is the one that was waited for, all is well again.
    pub(super) fn read(&mut self, partition: PartitionId, at: Offset) {
        if !self.0.is_empty() {
            let is_over = |trouble: &Trouble| trouble.lost.is_none() && trouble.at == at;
            if self.0.get(&partition).is_some_and(is_over) {
                self.0.remove(&partition);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: PartitionId = PartitionId(3);

    #[test]
    fn an_offset_is_waited_for_and_those_behind_it_are_not() {
        let (mut unreadable, now) = (Unreadable::default(), Instant::now());
        let failed = |unreadable: &mut Unreadable, at, after| {
            unreadable.failed(P, Offset(at), now + Duration::from_secs(after))
        };
        assert!(!failed(&mut unreadable, 5, 0));
        assert!(!failed(&mut unreadable, 5, 9));
        assert!(failed(&mut unreadable, 5, 10));
        assert!(failed(&mut unreadable, 6, 11), "it is lost with it");
        assert!(!failed(&mut unreadable, 6, 70), "that was long ago");
        assert!(!unreadable.failed(PartitionId(4), Offset(6), now));
    }

    #[test]
    fn what_is_read_in_between_begins_anew() {
        let (mut unreadable, now) = (Unreadable::default(), Instant::now());
        let later = now + PATIENCE;
        assert!(!unreadable.failed(P, Offset(5), now));
        unreadable.read(P, Offset(4));
        unreadable.read(P, Offset(5));
        assert!(!unreadable.failed(P, Offset(5), later));
        assert!(
            !unreadable.failed(P, Offset(6), later + PATIENCE),
            "another one"
        );
    }
}
