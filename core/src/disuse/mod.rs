//! What goes once nothing has used it for some time: a state machine without a clock.
//!
//! There is at most one alarm a thing: a use does not move it, and when it rings too early it is set
//! again. So a use costs nothing but remembering when it was.

#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::time::Instant;

/// How long something may go unused, and since when it has.
#[derive(Debug, Clone)]
pub struct Disuse {
    after: Duration,
    since: Instant,
    alarm: Option<Instant>,
}

/// What is to be done when the alarm rang.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: it is in use, and the end of that is told by [`Disuse::used`].
    Used,
    /// It was used meanwhile: the alarm is to ring again then.
    Until(Instant),
    /// Its time is over.
    Over,
}

impl Disuse {
    /// Something that goes when it has not been used for `after`, counted from `now` on.
    ///
    /// Call [`Disuse::used`] for its first alarm.
    #[must_use]
    pub fn new(after: Duration, now: Instant) -> Self {
        Self {
            after,
            since: now,
            alarm: None,
        }
    }

    /// It was used, or a use of it ends: its time begins anew. When the alarm is to ring, where none
    /// is set.
    pub fn used(&mut self, now: Instant) -> Option<Instant> {
        self.since = now;
        if self.alarm.is_some() {
            return None;
        }
        self.alarm = Some(self.due());
        self.alarm
    }

    /// The alarm rang.
    pub fn rang(&mut self, now: Instant, in_use: bool) -> Verdict {
        self.alarm = None;
        if in_use {
            return Verdict::Used;
        }
        if self.due() <= now {
            return Verdict::Over;
        }
        self.alarm = Some(self.due());
        Verdict::Until(self.due())
    }

    /// When the alarm rings, if one is set.
    #[must_use]
    pub fn alarm(&self) -> Option<Instant> {
        self.alarm
    }

    fn due(&self) -> Instant {
        self.since + self.after
    }
}
