//! The wheel against a clock that jumps.

use proptest::prelude::*;

use super::*;

/// A year, in which dues lie; the clock may jump over any part of it.
const YEAR: i64 = 366 * 86_400_000;
const P0: PartitionId = PartitionId(0);

#[derive(Debug, Default)]
struct Model {
    wheel: Wheel,
    logs: BTreeMap<u32, Vec<(Millis, usize)>>,
    /// When each entry came out, and how often it was filed.
    out: BTreeMap<usize, (Millis, usize)>,
    filed: BTreeMap<usize, usize>,
}

impl Model {
    fn add(&mut self, due: Millis, id: usize) {
        let mut filing = Filing::default();
        match self
            .wheel
            .place(&mut filing, Kind::Delivery, P0, due, |_| true)
        {
            Place::Due => {
                let times = self.filed.get(&id).copied().unwrap_or(0);
                let before = self.out.insert(id, (self.wheel.now, times));
                assert!(before.is_none(), "once");
            }
            Place::Waits { bucket, number, .. } => {
                assert!(bucket.opens_at() > self.wheel.now, "not open yet");
                self.logs.entry(number).or_default().push((due, id));
                *self.filed.entry(id).or_default() += 1;
            }
        }
        self.wheel.filed(filing);
    }

    fn turn(&mut self, now: Millis) {
        self.wheel.advance(now);
        loop {
            let open = self.wheel.open();
            if open.is_empty() {
                break;
            }
            for (bucket, number) in open {
                for (due, id) in self.logs.remove(&number).unwrap_or_default() {
                    self.add(due, id);
                }
                self.wheel.remove(bucket);
            }
        }
    }
}

/// What may happen in any order.
#[derive(Debug, Clone)]
enum Act {
    /// The clock is set.
    Clock(i64),
    /// A message comes, with this delay.
    Add(i64),
    /// What an open bucket holds is read.
    Read,
    /// What was read is moved, and the bucket goes.
    Move,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (-3_000..3_000i64).prop_map(Act::Clock),
        1 => (-YEAR..YEAR).prop_map(Act::Clock),
        4 => (0..4_000i64).prop_map(Act::Add),
        1 => due().prop_map(Act::Add),
        2 => Just(Act::Read),
        2 => Just(Act::Move),
    ]
}

fn due() -> impl Strategy<Value = i64> {
    prop_oneof![0..5_000i64, 0..200_000i64, 0..90_000_000i64, 0..YEAR * 3]
}

proptest! {
    #[test]
    fn every_entry_comes_once_never_early_and_late_by_a_second_at_most(
        start in -YEAR..YEAR * 60,
        dues in prop::collection::vec((due(), 0..100_000i64), 1..60),
    ) {
        let mut model = Model::default();
        let mut now = start;
        let mut wanted = Vec::new();
        for (id, (wait, pause)) in dues.into_iter().enumerate() {
            model.turn(Millis(now));
            model.add(Millis(now + wait), id);
            wanted.push((now, now + wait));
            now += pause;
        }
        // The driver's own loop: it wakes when the next bucket opens.
        while let Some(next) = model.wheel.next_opening() {
            model.turn(next);
        }
        for (id, (added, due)) in wanted.into_iter().enumerate() {
            let (out, times) = model.out[&id];
            prop_assert!(out.0 >= due, "early by {}", due - out.0);
            let kept_up = out.0 - due <= 1_000 || out.0 <= added;
            prop_assert!(kept_up || due < now, "late by {}", out.0 - due);
            prop_assert!(times <= 6, "filed {times} times");
        }
        prop_assert!(model.logs.is_empty());
    }

    #[test]
    fn nothing_is_added_to_what_is_being_emptied_wherever_the_clock_goes(
        acts in prop::collection::vec(act(), 1..200),
    ) {
        let mut model = Model::default();
        let (mut clock, mut read) = (YEAR, None);
        model.wheel.advance(Millis(clock));
        for (id, act) in acts.into_iter().enumerate() {
            match act {
                Act::Clock(step) => clock += step,
                Act::Add(wait) => {
                    model.wheel.advance(Millis(clock));
                    let soonest = model.wheel.now().0 + 1;
                    model.add(Millis((clock + wait).max(soonest)), id);
                }
                Act::Read => {
                    model.wheel.advance(Millis(clock));
                    let first = model.wheel.open().into_iter().next();
                    read = read.or_else(|| {
                        first.map(|(bucket, number)| (bucket, number, model.logs[&number].len()))
                    });
                }
                Act::Move => {
                    model.wheel.advance(Millis(clock));
                    let Some((bucket, number, length)) = read.take() else {
                        continue;
                    };
                    let entries = model.logs.remove(&number).unwrap_or_default();
                    prop_assert_eq!(entries.len(), length, "added to behind the reader's back");
                    for (due, id) in entries {
                        model.add(due, id);
                    }
                    model.wheel.remove(bucket);
                }
            }
        }
    }

    #[test]
    fn buckets_are_few_however_many_entries_wait(
        start in 0..YEAR * 60, dues in prop::collection::vec(due(), 1..500),
    ) {
        let mut model = Model::default();
        model.turn(Millis(start));
        for (id, wait) in dues.into_iter().enumerate() {
            model.add(Millis(start + wait), id);
        }
        prop_assert!(model.wheel.buckets().count() <= 401 + 26 + 62 + 66);
        let mut numbers: Vec<_> = model.wheel.buckets().map(|(_, number)| number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        prop_assert_eq!(numbers.len(), model.wheel.buckets().count());
    }

    #[test]
    fn a_key_names_its_bucket(slot: i64, partition: u32, level in 0usize..4, expiry: bool) {
        let bucket = Bucket {
            slot,
            level: Level::ALL[level],
            kind: if expiry { Kind::Expiry } else { Kind::Delivery },
            partition: PartitionId(partition),
        };
        let topic = TopicId::random();
        let parsed = Bucket::parse(b"d/", &bucket.key(b"d/", topic));
        prop_assert_eq!(parsed, Some((topic, bucket)));
    }
}

#[test]
fn a_clock_that_goes_back_holds_up_nothing() {
    let mut model = Model::default();
    model.turn(Millis(YEAR));
    model.add(Millis(YEAR + 500), 0);
    model.turn(Millis(YEAR + 1_000));
    assert_eq!(model.out[&0].0, Millis(YEAR + 1_000));
    model.turn(Millis(0));
    model.add(Millis(1_500), 1);
    model.turn(Millis(2_000));
    assert_eq!(model.out[&1].0, Millis(2_000));
}

#[test]
fn the_clock_goes_back_once_what_is_open_is_empty() {
    let mut wheel = Wheel::default();
    wheel.advance(Millis(10_000));
    let mut filing = Filing::default();
    wheel.place(&mut filing, Kind::Delivery, P0, Millis(10_500), |_| true);
    wheel.filed(filing);
    wheel.advance(Millis(11_000));
    wheel.advance(Millis(0));
    assert_eq!(wheel.now(), Millis(11_000));
    let open = wheel.open();
    wheel.remove(open[0].0);
    wheel.advance(Millis(0));
    assert_eq!(wheel.now(), Millis(0));
}

#[test]
fn the_end_of_time_has_a_place() {
    let mut model = Model::default();
    model.turn(Millis(1_700_000_000_000));
    model.add(Millis(i64::MAX), 0);
    assert_eq!(model.wheel.buckets().count(), 1);
}

#[test]
fn what_is_damaged_takes_nothing_and_what_was_set_aside_neither() {
    let mut wheel = Wheel::default();
    wheel.advance(Millis(0));
    let due = Millis(YEAR);
    let second = |later: i64| Millis(due.0 + later * 1000);
    let mut damaged = Vec::new();
    // A day, an hour, a minute, a second, and the seconds behind it.
    for begins in [due, due, due, due, second(1), second(2)] {
        let mut filing = Filing::default();
        let takes = |number| !damaged.contains(&number);
        let place = wheel.place(&mut filing, Kind::Delivery, P0, due, takes);
        let Place::Waits {
            bucket,
            number,
            fresh,
        } = place
        else {
            panic!("{place:?}");
        };
        assert!(fresh, "{bucket:?}");
        assert_eq!(bucket.begins_at(), begins);
        wheel.filed(filing);
        damaged.push(number);
    }
    let buckets: Vec<_> = wheel.buckets().collect();
    assert_eq!(buckets.len(), damaged.len());
    buckets
        .iter()
        .for_each(|(bucket, _)| wheel.set_aside(*bucket));
    assert_eq!((wheel.next_opening(), wheel.open()), (None, Vec::new()));
    assert_eq!(
        wheel.buckets().count(),
        damaged.len(),
        "they are known all the same"
    );
    let place = wheel.place(&mut Filing::default(), Kind::Delivery, P0, due, |_| true);
    assert!(
        matches!(place, Place::Waits { fresh: true, .. }),
        "{place:?}"
    );
    assert_eq!(wheel.close().len(), damaged.len());
}
