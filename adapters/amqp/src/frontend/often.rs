//! Log lines that clients can bring about as often as they like.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Between two lines.
const PERIOD: Duration = Duration::from_secs(1);

/// Counts what happens often, so that it is told once a second at most.
#[derive(Debug, Default)]
pub(super) struct Often(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    last: Option<Instant>,
    since: u64,
}

impl Often {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Told {
            last: None,
            since: 0,
        }))
    }

    /// How often it happened since it was told last, this time included; `None` where it is not to
    /// be told yet.
    pub(super) fn happened(&self, now: Instant) -> Option<u64> {
        let mut told = self.0.lock();
        told.since += 1;
        let early = |last| now.saturating_duration_since(last) < PERIOD;
        if told.last.is_some_and(early) {
            return None;
        }
        told.last = Some(now);
        Some(std::mem::take(&mut told.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_times_in_a_second_are_one_line_and_the_next_line_counts_them() {
        let (often, start) = (Often::new(), Instant::now());
        let told = (0..1000).filter_map(|_| often.happened(start));
        assert_eq!(told.collect::<Vec<_>>(), [1]);
        assert_eq!(often.happened(start + PERIOD / 2), None);
        assert_eq!(often.happened(start + PERIOD), Some(1001));
        assert_eq!(often.happened(start + 3 * PERIOD), Some(1));
    }
}
