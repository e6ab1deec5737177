//! What a store should hold, commit by commit: entries of one and of many offsets in several logs,
//! with trims, stretches that are forgotten, and a log that is dropped and comes again.

use std::collections::BTreeMap;

use bytes::Bytes;
use standpipe_core::{
    entry::{Draft, Entry, Format},
    id::{Millis, Offset},
    store::{Op, ReadLimit, Store},
};

use super::{held::Held, log, read_all, sim::Random};
use crate::store::NativeStore;

/// Logs that every commit appends to; the first tells how many commits there were.
const LASTING: u128 = 3;
/// The log that is dropped now and then, so that another comes under its name.
const DROPPED: u128 = 3;
const MOST_OFFSETS: u64 = 50;

/// Commits so far, and what they leave.
pub(super) struct Model {
    history: Vec<Vec<Op>>,
    logs: BTreeMap<u128, Held>,
    /// How many times more rarely than usual something is let go of.
    rarity: u64,
}

impl Model {
    /// No commits yet; `rarity` is how many times more rarely than usual something is let go of.
    pub(super) fn new(rarity: u64) -> Self {
        Self {
            history: Vec::new(),
            logs: BTreeMap::new(),
            rarity,
        }
    }

    /// How many commits there were.
    pub(super) fn commits(&self) -> usize {
        self.history.len()
    }

    /// Makes up the next commit, which counts from now on.
    pub(super) fn next(&mut self, random: &mut Random) -> Vec<Op> {
        let mut ops = Vec::new();
        if random.below(40 * self.rarity) == 0 {
            ops.push(Op::DropLog { log: log(DROPPED) });
        }
        let number = self.history.len();
        let shared = (random.below(4) == 0).then(|| body(number, random));
        for n in 0..=DROPPED {
            if n < LASTING || random.below(2) == 0 {
                let body = shared.clone().unwrap_or_else(|| body(number, random));
                let draft = draft(body, random);
                ops.push(Op::Append { log: log(n), draft });
            }
            let (start, end) = self.logs.get(&n).map_or((0, 0), Held::bounds);
            if random.below(20 * self.rarity) == 0 {
                let below = Offset(start + random.below(end - start + 1));
                ops.push(Op::Trim { log: log(n), below });
            }
            if n > 0 && random.below(10 * self.rarity) == 0 {
                let from = start + random.below(end - start + 1);
                let range = Offset(from)..Offset(from + random.below(end - from + 1));
                ops.push(Op::Forget { log: log(n), range });
            }
        }
        self.apply(ops.clone());
        ops
    }

    /// Goes back to where the first log ends at `end`: that is where a crash has left it.
    pub(super) fn rewind(&mut self, end: Offset) {
        self.logs.clear();
        let history = std::mem::take(&mut self.history);
        for ops in history {
            if self.logs.get(&0).map_or(0, |held| held.bounds().1) == end.0 {
                break;
            }
            self.apply(ops);
        }
        let (_, now) = self.logs.get(&0).map_or((0, 0), Held::bounds);
        assert_eq!(now, end.0, "the log ends behind no commit");
    }

    fn apply(&mut self, ops: Vec<Op>) {
        for op in &ops {
            let held = |id: &standpipe_core::id::LogId| id.topic.0.as_u128();
            match op {
                Op::Append { log, draft } => self.logs.entry(held(log)).or_default().append(draft),
                Op::Trim { log, below } => self.change(held(log), |log| log.trim(*below)),
                Op::Forget { log, range } => self.change(held(log), |log| log.forget(range)),
                Op::DropLog { log } => drop(self.logs.remove(&held(log))),
                other => unreachable!("{other:?}"),
            }
        }
        self.history.push(ops);
    }

    fn change(&mut self, log: u128, change: impl FnMut(&mut Held)) {
        self.logs.get_mut(&log).into_iter().for_each(change);
    }

    /// The store holds this and nothing else: read whole, from places inside entries, and by time.
    pub(super) async fn check(&self, store: &NativeStore, random: &mut Random) {
        for n in 0..=DROPPED {
            let id = log(n);
            let bounds = store.bounds(id).await.unwrap();
            let Some(held) = self.logs.get(&n) else {
                assert_eq!((bounds.start, bounds.end), (Offset(0), Offset(0)));
                continue;
            };
            let (start, end) = held.bounds();
            assert_eq!((bounds.start.0, bounds.end.0), (start, end), "log {n}");
            held.check(&read_all(store, id, bounds.start).await, start, true);
            for _ in 0..5 {
                let from = start + random.below(end - start + 1);
                let limit = ReadLimit {
                    bytes: random.below(5000) as usize,
                    entries: 1 + random.below(9) as usize,
                };
                let read: Vec<Entry> = store.read(id, Offset(from), limit).await.unwrap();
                held.check(&read, from, false);
                let at = Millis(random.below(1000) as i64);
                let found = store.entry_for_time(id, at).await.unwrap();
                held.check_time(found.as_ref(), at);
            }
        }
    }
}

fn body(number: usize, random: &mut Random) -> Bytes {
    let mut body = vec![b'.'; 8 + random.below(1500) as usize];
    body[..8].copy_from_slice(&number.to_be_bytes());
    body.into()
}

fn draft(body: Bytes, random: &mut Random) -> Draft {
    let span = match random.below(3) {
        0 => 1,
        1 => 1 + random.below(4),
        _ => 1 + random.below(MOST_OFFSETS),
    };
    let mut draft = Draft::batch(Format::KAFKA2, body, span as u32);
    let time = Millis(random.below(1000) as i64);
    draft.created = Some((time, time));
    draft
}
