//! Rounds over a log that is a list, against the rules themselves.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::id::{Millis, Offset};

/// A message: its key, whether it is a tombstone, and what is in its place now.
#[derive(Debug, Clone)]
struct Entry {
    base: u64,
    fit: Fit,
    appended: i64,
    records: Vec<(u64, Option<u8>, bool)>,
    span: u64,
}

/// A log, its progress as stored, and when each older message of a key went.
#[derive(Debug, Default)]
struct Model {
    log: Vec<Entry>,
    end: u64,
    now: i64,
    start: u64,
    stored: Vec<u8>,
    policy: Compaction,
    /// By key, when something of it was last to be seen below its newest.
    seen: BTreeMap<u8, i64>,
    /// All that was ever appended.
    history: Vec<(u64, u8, bool, i64)>,
}

impl Model {
    fn append(&mut self, fit: Fit, messages: &[(Option<u8>, bool)]) {
        let base = self.end;
        let records: Vec<_> = (base..)
            .zip(messages)
            .map(|(at, (key, dead))| (at, *key, *dead && key.is_some()))
            .collect();
        for (at, key, dead) in &records {
            self.history
                .extend(key.map(|key| (*at, key, *dead, self.now)));
        }
        self.end += records.len() as u64;
        self.log.push(Entry {
            base,
            fit,
            appended: self.now,
            span: records.len() as u64,
            records,
        });
    }

    fn progress(&self) -> Progress {
        match &self.stored[..] {
            [] => Progress::default(),
            octets => Progress::decode(octets).unwrap(),
        }
    }

    /// One round that is cut short after so many verdicts, as by a crash.
    fn round(&mut self, room: usize, steps: usize) -> bool {
        let keys = Keys::default();
        let span = Span {
            start: Offset(self.start),
            stable: Offset(self.end),
        };
        let mut round = Round::new(self.progress(), span, self.policy, Millis(self.now), room);
        let mut left = steps;
        while let Some(ask) = round.ask() {
            let within = |entry: &&Entry| {
                entry.base + entry.span > ask.range.start.0 && entry.base < ask.range.end.0
            };
            let entries: Vec<_> = self.log.iter().filter(within).cloned().collect();
            for entry in &entries {
                if !round.wants(&ask) {
                    break;
                }
                if left == 0 {
                    return false;
                }
                left -= 1;
                let verdict = round.take(&part(entry, &keys));
                self.carry_out(entry.base, &verdict);
                self.check();
            }
            if round.wants(&ask) {
                round.pass(ask.range.end);
            }
        }
        if let Some(progress) = round.progress(Millis(self.now)) {
            self.stored = progress.encode().to_vec();
        }
        self.note_seen();
        true
    }

    fn carry_out(&mut self, base: u64, verdict: &Verdict) {
        let at = self
            .log
            .iter()
            .position(|entry| entry.base == base)
            .unwrap();
        match verdict {
            Verdict::Keep => {}
            Verdict::Forget => {
                assert_ne!(self.log[at].fit, Fit::Held);
                self.log.remove(at);
            }
            Verdict::Shrink(staying) => {
                assert_eq!(self.log[at].fit, Fit::Divisible);
                let stays = |record: &(u64, Option<u8>, bool)| staying.contains(&Offset(record.0));
                self.log[at].records.retain(stays);
            }
        }
    }

    fn visible(&self) -> Vec<(u64, Option<u8>, bool)> {
        let records = self.log.iter().flat_map(|entry| entry.records.clone());
        records.collect()
    }

    fn note_seen(&mut self) {
        let newest: BTreeMap<_, _> = self
            .history
            .iter()
            .map(|(at, key, ..)| (*key, *at))
            .collect();
        for entry in &self.log {
            // One entry is read whole or not at all: what it says of a key last is what counts.
            let last: BTreeMap<_, _> = entry
                .records
                .iter()
                .map(|(_, key, dead)| (*key, *dead))
                .collect();
            let alive = last.into_iter().filter(|(_, dead)| !dead);
            for key in alive.filter_map(|(key, _)| key) {
                if entry.base + entry.span <= newest[&key] {
                    self.seen.insert(key, self.now);
                }
            }
        }
    }

    /// What must hold after every single step.
    fn check(&self) {
        let visible = self.visible();
        let mut newest = BTreeMap::new();
        for (at, key, dead, appended) in &self.history {
            newest.insert(*key, (*at, *dead, *appended));
        }
        for (key, (at, dead, appended)) in newest {
            let of_key = |record: &&(u64, Option<u8>, bool)| record.1 == Some(key);
            let last = visible.iter().rfind(of_key);
            if last.is_some_and(|record| record.0 == at) || at < self.start {
                continue;
            }
            assert!(dead, "the newest of key {key} at {at} is gone");
            assert_eq!(last, None, "key {key} is back");
            let seen = self.seen.get(&key).copied().unwrap_or(0).max(appended);
            let grace = i64::try_from(self.policy.grace_ms).unwrap();
            assert!(
                self.now - seen >= grace,
                "a tombstone of {key} went before its time"
            );
        }
    }
}

fn part(entry: &Entry, keys: &Keys) -> Part {
    let records = entry.records.iter().map(|(at, key, dead)| Record {
        offset: Offset(*at),
        key: key.map(|key| keys.of(&[key])),
        is_tombstone: *dead,
    });
    Part {
        range: Offset(entry.base)..Offset(entry.base + entry.span),
        appended: Millis(entry.appended),
        fit: entry.fit,
        records: Some(records.collect()),
    }
}

#[derive(Debug, Clone)]
enum Step {
    Append(Fit, Vec<(Option<u8>, bool)>),
    Wait(i64),
    Round { room: usize },
    Crash { room: usize, steps: usize },
    LetGo,
}

fn fit() -> impl Strategy<Value = Fit> {
    prop_oneof![
        5 => Just(Fit::Divisible),
        3 => Just(Fit::Whole),
        1 => Just(Fit::Held),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let message = (
        prop::option::weighted(0.9, 0u8..8),
        prop::bool::weighted(0.3),
    );
    let messages = prop::collection::vec(message, 1..5);
    prop_oneof![
        6 => (fit(), messages).prop_map(|(fit, messages)| Step::Append(fit, messages)),
        2 => (0i64..80).prop_map(Step::Wait),
        3 => (1usize..24).prop_map(|room| Step::Round { room }),
        1 => (1usize..24, 0usize..30).prop_map(|(room, steps)| Step::Crash { room, steps }),
        1 => Just(Step::LetGo),
    ]
}

fn run(steps: &[Step], policy: Compaction) -> Model {
    let mut model = Model {
        policy,
        ..Model::default()
    };
    for step in steps {
        match step {
            Step::Append(fit, messages) => model.append(*fit, messages),
            Step::Wait(ms) => model.now += ms,
            Step::Round { room } => drop(model.round(*room, usize::MAX)),
            Step::Crash { room, steps } => {
                // What went in an unfinished round is not known to the next one: the grace of a
                // tombstone counts from its append at least.
                model.round(*room, *steps);
                model.seen.clear();
            }
            Step::LetGo => model.log.iter_mut().for_each(|entry| {
                if entry.fit == Fit::Held {
                    entry.fit = Fit::Whole;
                }
            }),
        }
        model.note_seen();
        model.check();
    }
    model
}

fn policy(grace_ms: u64) -> Compaction {
    Compaction {
        grace_ms,
        ..Compaction::default()
    }
}

proptest! {
    #[test]
    fn the_newest_is_never_lost_and_a_tombstone_never_goes_early(
        steps in prop::collection::vec(step(), 0..60), grace in 0u64..100,
    ) {
        run(&steps, policy(grace));
    }

    #[test]
    fn in_the_end_exactly_the_newest_of_each_key_is_left(
        steps in prop::collection::vec(step(), 0..60), grace in 1u64..100, room in 8usize..24,
    ) {
        let mut model = run(&steps, policy(grace));
        model.log.iter_mut().for_each(|entry| entry.fit = Fit::Divisible);
        // What stayed in entries that could not shrink is looked for when its key comes again.
        let keys: Vec<_> = (0..8).map(|key| (Some(key), key % 2 == 0)).collect();
        model.append(Fit::Divisible, &keys);
        for _ in 0..20 {
            model.round(room, usize::MAX);
        }
        let newest = |model: &Model, dead: bool| {
            let keys = (model.end - 8..model.end).zip(0u8..8);
            let of_kind = keys.filter(|(_, key)| dead || key % 2 == 1);
            of_kind.map(|(at, _)| at).collect::<BTreeSet<_>>()
        };
        let left = |model: &Model| {
            let keyed = model.visible().into_iter().filter(|record| record.1.is_some());
            keyed.map(|record| record.0).collect::<BTreeSet<_>>()
        };
        prop_assert_eq!(left(&model), newest(&model, true));
        model.now += 200;
        for _ in 0..20 {
            model.round(room, usize::MAX);
        }
        prop_assert_eq!(left(&model), newest(&model, false));
        let progress = model.progress();
        let is_due = progress.is_due(Offset(model.end), 0, Millis(i64::MAX), &model.policy);
        prop_assert!(!is_due, "nothing is left to do: {progress:?}");
    }

    #[test]
    fn messages_without_a_key_stay(steps in prop::collection::vec(step(), 0..60)) {
        let model = run(&steps, policy(0));
        let appended = steps.iter().map(|step| match step {
            Step::Append(_, messages) => messages.iter().filter(|(key, _)| key.is_none()).count(),
            _ => 0,
        });
        let keyless = model.visible().into_iter().filter(|record| record.1.is_none());
        prop_assert_eq!(keyless.count(), appended.sum::<usize>());
    }
}

#[test]
fn what_is_young_stays_as_it_is() {
    let mut model = Model {
        policy: Compaction {
            lag_ms: 50,
            ..Compaction::default()
        },
        ..Model::default()
    };
    model.append(Fit::Whole, &[(Some(1), false)]);
    model.now = 40;
    model.append(Fit::Whole, &[(Some(1), false)]);
    model.now = 60;
    model.round(8, usize::MAX);
    assert_eq!(
        model.visible().len(),
        2,
        "the newer one is not looked at yet"
    );
    model.now = 90;
    model.round(8, usize::MAX);
    assert_eq!(model.visible().len(), 1);
}

#[test]
fn a_large_log_is_looked_at_once_enough_of_it_is_new_or_a_tombstone_had_its_grace() {
    let mut model = Model {
        policy: policy(100),
        ..Model::default()
    };
    for key in 0..100 {
        model.append(Fit::Whole, &[(Some(key), key == 0)]);
    }
    model.round(1000, usize::MAX);
    let progress = model.progress();
    let due =
        |stable, octets, now| progress.is_due(Offset(stable), octets, Millis(now), &model.policy);
    assert!(!due(100, 0, 0), "nothing is new");
    assert!(due(101, 1000, 0), "a small log is no work");
    assert!(!due(199, 1 << 30, 0));
    assert!(due(200, 1 << 30, 0));
    assert!(!due(100, 1 << 30, 99));
    assert!(due(100, 1 << 30, 100));
}
