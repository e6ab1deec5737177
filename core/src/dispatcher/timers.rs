//! Offsets by the time at which something becomes of them.

use std::collections::BTreeSet;

use crate::id::{Millis, Offset};

/// A set of (time, offset), asked by time.
#[derive(Debug, Default)]
pub(super) struct Timers(BTreeSet<(Millis, Offset)>);

impl Timers {
    pub(super) fn add(&mut self, at: Option<Millis>, offset: Offset) {
        self.0.extend(at.map(|at| (at, offset)));
    }

    pub(super) fn remove(&mut self, at: Option<Millis>, offset: Offset) {
        if let Some(at) = at {
            self.0.remove(&(at, offset));
        }
    }

    /// When the first is due.
    pub(super) fn next(&self) -> Option<Millis> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Takes what is due by `now`.
    pub(super) fn take_until(&mut self, now: Millis) -> Vec<Offset> {
        let mut due = Vec::new();
        while let Some((at, offset)) = self.0.first().copied().filter(|(at, _)| *at <= now) {
            self.0.remove(&(at, offset));
            due.push(offset);
        }
        due
    }
}
