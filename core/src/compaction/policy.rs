//! What can be set on a compacted topic.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::quantity::{duration_text, parse_duration};

const DAY: u64 = 24 * 60 * 60 * 1000;
const HALF: u16 = 500;

/// How a topic is compacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Compaction {
    /// Milliseconds that a tombstone stays once what it replaces is gone, so that who began to read
    /// before that sees it (Kafka's `delete.retention.ms`).
    pub grace_ms: u64,
    /// Milliseconds that every message stays, superseded or not (`min.compaction.lag.ms`).
    pub lag_ms: u64,
    /// The share of messages not looked at yet, in thousandths, from which on a large log is looked
    /// at (`min.cleanable.dirty.ratio`).
    pub dirty: u16,
    /// An age limit besides, in milliseconds.
    pub ms: Option<u64>,
    /// A size limit besides: octets of a partition.
    pub octets: Option<u64>,
    /// What becomes of what lies beyond the limits.
    pub beyond: Beyond,
}

/// What becomes of messages beyond a compacted topic's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Beyond {
    /// They stay: the limits are remembered for when the topic is not compacted any more.
    #[default]
    Stays,
    /// They go, the newest of a key or not.
    Goes,
}

impl Default for Compaction {
    fn default() -> Self {
        Self {
            grace_ms: DAY,
            lag_ms: 0,
            dirty: HALF,
            ms: None,
            octets: None,
            beyond: Beyond::Stays,
        }
    }
}

impl Compaction {
    /// With limits that act, where there are any.
    #[must_use]
    pub fn within(self, ms: Option<u64>, octets: Option<u64>) -> Self {
        let beyond = match (ms, octets) {
            (None, None) => Beyond::Stays,
            _ => Beyond::Goes,
        };
        Self {
            ms,
            octets,
            beyond,
            ..self
        }
    }

    /// The words for it, without those for its limits.
    pub(crate) fn words(&self) -> Vec<String> {
        let (text, default) = (
            |ms| duration_text(Duration::from_millis(ms)),
            Self::default(),
        );
        let mut words = vec!["compact".to_owned()];
        if self.grace_ms != default.grace_ms {
            words.push(format!("grace={}", text(self.grace_ms)));
        }
        if self.lag_ms != default.lag_ms {
            words.push(format!("lag={}", text(self.lag_ms)));
        }
        if self.dirty != default.dirty {
            words.push(format!("dirty={}", ratio_text(self.dirty)));
        }
        words
    }

    /// Takes one of those words; `None` where it is none, `Some(false)` where its value is wrong or
    /// it stands there a second time.
    pub(crate) fn read_word(&mut self, word: &str) -> Option<bool> {
        let default = Self::default();
        let (name, value) = word.split_once('=')?;
        let age = || {
            let age = parse_duration(value).ok()?;
            u64::try_from(age.as_millis()).ok()
        };
        Some(match name {
            "grace" => replace(&mut self.grace_ms, default.grace_ms, age()),
            "lag" => replace(&mut self.lag_ms, default.lag_ms, age()),
            "dirty" => replace(&mut self.dirty, default.dirty, parse_ratio(value)),
            _ => false,
        })
    }
}

fn replace<T: PartialEq>(place: &mut T, default: T, value: Option<T>) -> bool {
    let is_first = *place == default;
    value.is_some_and(|value| {
        *place = value;
        is_first
    })
}

/// A ratio from 0 to 1 in thousandths.
pub fn parse_ratio(text: &str) -> Option<u16> {
    let ratio: f64 = text.parse().ok()?;
    let thousandths = (ratio * 1000.0).round();
    (0.0..=1.0).contains(&ratio).then_some(thousandths as u16)
}

/// Thousandths as a ratio.
pub fn ratio_text(thousandths: u16) -> String {
    format!("{}", f64::from(thousandths) / 1000.0)
}
