//! Log lines that clients can bring about as often as they like.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use standpipe_core::ErrorKind;

/// What the lines are counted in.
const PERIOD: Duration = Duration::from_secs(1);
/// Lines of one period: what a client declares at its start and is refused is all told.
const LINES: u32 = 16;

/// Counts what happens often, so that it is told 16 times a second at most.
#[derive(Debug, Default)]
pub(super) struct Often(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    /// When the period began, and its lines so far.
    period: Option<(Instant, u32)>,
    since: u64,
}

impl Often {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Told {
            period: None,
            since: 0,
        }))
    }

    /// How often it happened since it was told last, this time included; `None` where it is not to
    /// be told yet.
    pub(super) fn happened(&self, now: Instant) -> Option<u64> {
        let mut told = self.0.lock();
        told.since += 1;
        let begun = told.period;
        let current = begun.filter(|(begun, _)| now.saturating_duration_since(*begun) < PERIOD);
        let (begun, lines) = current.unwrap_or((now, 0));
        if lines == LINES {
            return None;
        }
        told.period = Some((begun, lines + 1));
        Some(std::mem::take(&mut told.since))
    }
}

/// The same for failures, each kind by itself: one that happens often hides no other.
#[derive(Debug, Default)]
pub(super) struct OftenByKind(Mutex<Vec<(ErrorKind, Often)>>);

impl OftenByKind {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// See [`Often::happened`].
    pub(super) fn happened(&self, kind: ErrorKind, now: Instant) -> Option<u64> {
        let mut kinds = self.0.lock();
        if let Some((_, often)) = kinds.iter().find(|(known, _)| *known == kind) {
            return often.happened(now);
        }
        let often = Often::new();
        let count = often.happened(now);
        kinds.push((kind, often));
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_times_in_a_second_are_five_lines() {
        let (often, start) = (Often::new(), Instant::now());
        let told = (0..5).filter_map(|_| often.happened(start));
        assert_eq!(told.collect::<Vec<_>>(), [1; 5]);
    }

    #[test]
    fn a_full_store_does_not_hide_the_failure_of_another() {
        let (often, now) = (OftenByKind::new(), Instant::now());
        for _ in 0..1000 {
            often.happened(ErrorKind::Throttled, now);
        }
        assert_eq!(often.happened(ErrorKind::Throttled, now), None);
        assert_eq!(often.happened(ErrorKind::Transient, now), Some(1));
    }

    #[test]
    fn a_thousand_times_in_a_second_are_16_lines_and_the_next_line_counts_them() {
        let (often, start) = (Often::new(), Instant::now());
        let told = (0..1000).filter_map(|_| often.happened(start));
        assert_eq!(told.collect::<Vec<_>>(), [1; 16]);
        assert_eq!(often.happened(start + PERIOD / 2), None);
        assert_eq!(often.happened(start + PERIOD), Some(1000 - 16 + 2));
        assert_eq!(often.happened(start + 3 * PERIOD), Some(1));
    }
}
