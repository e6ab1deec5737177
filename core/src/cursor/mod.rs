//! A subscription's place on one partition: what is settled, and what was ever delivered.
//!
//! Pure: told what happened, it answers with the [`Change`]s that make it so again after a restart.

mod attempts;
mod change;
mod settled;

pub use change::{Change, WORDS, decode_changes, encode_changes};
pub use settled::SettledSet;

use std::{collections::BTreeMap, ops::Range};

use attempts::Attempts;
use bytes::Bytes;

use crate::id::{Millis, Offset};

/// Offsets that a horizon is reserved ahead of deliveries, at most.
pub const HORIZON_STEP: u64 = 1024;

/// The state of one cursor.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cursor {
    settled: SettledSet,
    horizon: Offset,
    redelivered_below: Offset,
    attempts: Attempts,
    deferred: BTreeMap<Offset, Millis>,
    mark: Option<Mark>,
}

/// What a client noted with its last positional commit (Kafka's OffsetCommit).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The leader epoch that the client saw, or -1.
    pub leader_epoch: i32,
    /// The client's own words.
    pub metadata: Bytes,
    /// When it was committed.
    pub at: Millis,
}

impl Cursor {
    /// A cursor that starts at `floor`, with a first horizon step reserved.
    pub fn starting_at(floor: Offset) -> Self {
        Self {
            settled: SettledSet::starting_at(floor),
            horizon: floor.plus(HORIZON_STEP),
            redelivered_below: floor,
            ..Self::default()
        }
    }

    /// The cursor that `changes` lead to, on a log that now holds `start` to `end`: what lies
    /// outside is cut off, and what may have been delivered before is told as redelivered.
    pub fn recover(changes: impl IntoIterator<Item = Change>, start: Offset, end: Offset) -> Self {
        let mut cursor = Self::default();
        changes.into_iter().for_each(|change| cursor.apply(&change));
        cursor.settled.clamp(end);
        cursor.settled.settle(cursor.floor()..start);
        cursor.attempts.remove(&(end..Offset(u64::MAX)));
        cursor.deferred.retain(|offset, _| *offset < end);
        cursor.redelivered_below = cursor.horizon.min(end);
        cursor.forget_below_floor();
        cursor
    }

    /// Everything below is settled.
    pub fn floor(&self) -> Offset {
        self.settled.floor()
    }

    /// Nothing at or beyond this may be delivered before a higher horizon is persisted.
    pub fn horizon(&self) -> Offset {
        self.horizon
    }

    /// The lowest horizon that is true where nothing at or beyond `next` was delivered since the
    /// cursor was recovered: what was delivered before that stays below it.
    pub fn exact_horizon(&self, next: Offset) -> Offset {
        next.max(self.redelivered_below)
    }

    /// The client's note with the last positional commit.
    pub fn mark(&self) -> Option<&Mark> {
        self.mark.as_ref()
    }

    /// Whether `offset` is settled.
    pub fn is_settled(&self, offset: Offset) -> bool {
        self.settled.contains(offset)
    }

    /// The first offset at or after `from` that is not settled.
    pub fn next_unsettled(&self, from: Offset) -> Offset {
        self.settled.next_missing(from)
    }

    /// Settled ranges; see [`SettledSet::stretches`].
    pub fn settled_stretches(&self, least: u64, edge: Offset) -> Vec<Range<Offset>> {
        self.settled.stretches(least, edge)
    }

    /// How many offsets of `range` are settled.
    pub fn settled_in(&self, range: Range<Offset>) -> u64 {
        self.settled.count_in(range)
    }

    /// Unsuccessful deliveries of `offset` so far.
    pub fn attempts(&self, offset: Offset) -> u32 {
        self.attempts.get(offset)
    }

    /// Whether `offset` was, or after a crash may have been, delivered before.
    pub fn redelivered(&self, offset: Offset) -> bool {
        offset < self.redelivered_below || self.attempts(offset) > 0
    }

    /// When a deferred offset is due; `None` where it is not deferred.
    pub fn deferred_until(&self, offset: Offset) -> Option<Millis> {
        self.deferred.get(&offset).copied()
    }

    /// Deferred offsets with their due times.
    pub fn deferred(&self) -> impl Iterator<Item = (Offset, Millis)> + '_ {
        self.deferred.iter().map(|(offset, due)| (*offset, *due))
    }

    /// Makes a change. Settling what is settled, or below the floor, changes nothing.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Settle(range) => {
                self.settled.settle(range.clone());
                self.forget_settled(range);
            }
            Change::SettleBits { base, words } => {
                for range in change::ranges_of(*base, words) {
                    self.settled.settle(range.clone());
                    self.forget_settled(&range);
                }
            }
            Change::Attempts { offsets, attempts } => {
                for range in self.settled.missing_in(offsets) {
                    self.attempts.set(&range, *attempts);
                }
            }
            Change::Defer { offset, due } => match due {
                Some(due) if !self.is_settled(*offset) => {
                    self.deferred.insert(*offset, *due);
                }
                _ => {
                    self.deferred.remove(offset);
                }
            },
            Change::Horizon(horizon) => self.horizon = *horizon,
            Change::Seek(floor) => {
                self.settled = SettledSet::starting_at(*floor);
                self.attempts.clear();
                self.deferred.clear();
            }
            Change::Mark(mark) => self.mark = Some(mark.clone()),
        }
        self.forget_below_floor();
    }

    /// Changes that lead from nothing to this cursor.
    pub fn snapshot(&self) -> Vec<Change> {
        let mut changes = vec![Change::Seek(self.floor()), Change::Horizon(self.horizon)];
        changes.extend(change::settled(self.settled.ranges()));
        let attempts = self.attempts.iter();
        changes.extend(attempts.map(|(offsets, attempts)| Change::Attempts { offsets, attempts }));
        changes.extend(self.deferred().map(|(offset, due)| Change::Defer {
            offset,
            due: Some(due),
        }));
        changes.extend(self.mark.clone().map(Change::Mark));
        changes
    }

    fn forget_settled(&mut self, range: &Range<Offset>) {
        if self.attempts.is_empty() && self.deferred.is_empty() {
            return;
        }
        self.attempts.remove(range);
        let gone: Vec<_> = self
            .deferred
            .range(range.clone())
            .map(|(o, _)| *o)
            .collect();
        gone.iter().for_each(|offset| {
            self.deferred.remove(offset);
        });
    }

    fn forget_below_floor(&mut self) {
        let floor = self.floor();
        if !self.attempts.is_empty() {
            self.attempts.remove(&(Offset::ZERO..floor));
        }
        while let Some(first) = self.deferred.first_entry() {
            if *first.key() >= floor {
                break;
            }
            first.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn change() -> impl Strategy<Value = Change> {
        let offset = (0u64..3000).prop_map(Offset);
        prop_oneof![
            4 => (0u64..3000, 1u64..200).prop_map(|(a, n)| Change::Settle(Offset(a)..Offset(a + n))),
            1 => (offset.clone(), 1u64..9, 1u32..9).prop_map(|(from, length, attempts)| Change::Attempts {
                offsets: from..from.plus(length),
                attempts,
            }),
            1 => (offset.clone(), any::<Option<i64>>()).prop_map(|(offset, due)| Change::Defer { offset, due: due.map(Millis) }),
            1 => offset.prop_map(Change::Horizon),
        ]
    }

    #[test]
    fn a_cursor_that_starts_later_has_seen_what_is_below() {
        let cursor = Cursor::starting_at(Offset(5));
        let below = [4, 5].map(Offset);
        assert_eq!(cursor.floor(), Offset(5));
        assert_eq!(below.map(|offset| cursor.is_settled(offset)), [true, false]);
        assert_eq!(
            below.map(|offset| cursor.redelivered(offset)),
            [true, false]
        );
        assert_eq!(cursor.horizon(), Offset(5 + HORIZON_STEP));
    }

    #[test]
    fn what_was_delivered_before_a_restart_or_released_is_redelivered() {
        let mut cursor = Cursor::recover([Change::Horizon(Offset(4))], Offset(0), Offset(9));
        let (offsets, attempts) = (Offset(7)..Offset(8), 1);
        cursor.apply(&Change::Attempts { offsets, attempts });
        let told = [3, 4, 7].map(|offset| cursor.redelivered(Offset(offset)));
        assert_eq!(told, [true, false, true]);
        let exact = [2, 6].map(|next| cursor.exact_horizon(Offset(next)));
        assert_eq!(exact, [4, 6].map(Offset));
    }

    #[test]
    fn the_next_unsettled_offset_is_past_the_floor_and_what_was_acked_out_of_order() {
        let mut cursor = Cursor::starting_at(Offset(5));
        cursor.apply(&Change::Settle(Offset(7)..Offset(9)));
        let next = [0, 5, 6, 7, 8, 9].map(|from| cursor.next_unsettled(Offset(from)).0);
        assert_eq!(next, [5, 5, 6, 9, 9, 9]);
    }

    #[test]
    fn settled_stretches_begin_below_the_floor() {
        let mut cursor = Cursor::starting_at(Offset(5));
        cursor.apply(&Change::Settle(Offset(7)..Offset(9)));
        let all = [Offset(0)..Offset(5), Offset(7)..Offset(9)];
        assert_eq!(cursor.settled_stretches(2, Offset(20)), all);
        assert_eq!(cursor.settled_stretches(3, Offset(20)), all[..1]);
        assert_eq!(cursor.settled_in(Offset(4)..Offset(8)), 2);
    }

    #[test]
    fn recovery_forgets_attempts_and_deferrals_of_what_the_log_lost() {
        let offsets = [5, 9, 10, 11].map(Offset);
        let attempts = offsets.map(|offset| Change::Attempts {
            offsets: offset..offset.next(),
            attempts: 2,
        });
        let due = Some(Millis(7));
        let deferrals = offsets.map(|offset| Change::Defer { offset, due });
        let changes = attempts.into_iter().chain(deferrals);
        let cursor = Cursor::recover(changes, Offset(6), Offset(10));
        assert_eq!(offsets.map(|offset| cursor.attempts(offset)), [0, 2, 0, 0]);
        let deferred: Vec<_> = cursor.deferred().collect();
        assert_eq!(deferred, [(Offset(9), Millis(7))]);
    }

    #[test]
    fn what_a_client_noted_is_kept_over_a_restart() {
        let mark = Mark {
            leader_epoch: 3,
            metadata: Bytes::from_static(b"words"),
            at: Millis(5),
        };
        let cursor = Cursor::recover([Change::Mark(mark.clone())], Offset(0), Offset(0));
        assert_eq!(cursor.mark(), Some(&mark));
        assert_eq!(Cursor::default().mark(), None);
    }

    #[test]
    fn a_settled_offset_is_neither_counted_nor_deferred() {
        let mut cursor = Cursor::default();
        let (settled, open, due) = (Offset(3), Offset(4), Some(Millis(7)));
        cursor.apply(&Change::Settle(settled..open));
        for offset in [settled, open] {
            cursor.apply(&Change::Attempts {
                offsets: offset..offset.next(),
                attempts: 1,
            });
            cursor.apply(&Change::Defer { offset, due });
        }
        assert_eq!([settled, open].map(|o| cursor.attempts(o)), [0, 1]);
        assert_eq!(
            [settled, open].map(|o| cursor.deferred_until(o)),
            [None, due]
        );
        cursor.apply(&Change::Settle(open..open.next()));
        assert_eq!(
            (cursor.attempts(open), cursor.deferred_until(open)),
            (0, None)
        );
    }

    proptest! {
        #[test]
        fn a_snapshot_is_the_cursor(changes in prop::collection::vec(change(), 0..60)) {
            let mut cursor = Cursor::default();
            changes.iter().for_each(|change| cursor.apply(change));
            let mut copy = Cursor::default();
            let encoded = encode_changes(&cursor.snapshot());
            decode_changes(encoded).unwrap().iter().for_each(|change| copy.apply(change));
            prop_assert_eq!(copy, cursor);
        }

        #[test]
        fn the_floor_never_passes_an_unsettled_offset(changes in prop::collection::vec(change(), 0..60)) {
            let mut cursor = Cursor::default();
            let mut oracle = std::collections::BTreeSet::new();
            for change in &changes {
                cursor.apply(change);
                if let Change::Settle(range) = change {
                    oracle.extend(range.start.0..range.end.0);
                }
            }
            let floor = (0..).find(|offset| !oracle.contains(offset)).unwrap();
            prop_assert_eq!(cursor.floor(), Offset(floor));
            for offset in 0..3300 {
                prop_assert_eq!(cursor.is_settled(Offset(offset)), oracle.contains(&offset));
            }
        }

        #[test]
        fn recovery_keeps_what_was_settled_and_cuts_at_the_end(
            changes in prop::collection::vec(change(), 0..60), start in 0u64..500, len in 0u64..2500,
        ) {
            let (start, end) = (Offset(start), Offset(start + len));
            let mut before = Cursor::default();
            changes.iter().for_each(|change| before.apply(change));
            let after = Cursor::recover(changes, start, end);
            prop_assert!(after.floor() >= start && after.floor() <= end.max(start));
            for offset in (start.0..end.0).map(Offset) {
                prop_assert_eq!(after.is_settled(offset), before.is_settled(offset));
                prop_assert!(after.redelivered(offset) || offset >= before.horizon());
            }
            prop_assert!(!after.is_settled(end.max(start)));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn a_snapshot_takes_a_bit_an_offset_whatever_the_order(
            settled in prop::collection::btree_set(0u64..20_000, 0..9000),
        ) {
            let mut cursor = Cursor::default();
            for offset in settled.iter().map(|offset| Offset(*offset)) {
                cursor.apply(&Change::Settle(offset..offset.next()));
            }
            let encoded = encode_changes(&cursor.snapshot());
            prop_assert!(encoded.len() < 20_000 / 8 * 2, "{} octets", encoded.len());
            let mut copy = Cursor::default();
            decode_changes(encoded).unwrap().iter().for_each(|change| copy.apply(change));
            prop_assert_eq!(copy, cursor);
        }
    }
}
