//! What a topic keeps, and the words for it that all protocols share.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    compaction::{Beyond, Compaction},
    error::{Error, ErrorKind, Result},
    quantity::{duration_text, parse_duration, parse_size, size_text},
};

/// What a topic keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Retention {
    /// What any holder has not settled; all while there is no holder.
    Settled,
    /// Everything.
    Forever,
    /// What is younger than this many milliseconds, settled or not.
    Time {
        /// The age.
        ms: u64,
    },
    /// The newest of each partition, settled or not, up to this many octets of bodies.
    Size {
        /// Octets of one partition.
        octets: u64,
    },
    /// What both an age and a size would keep.
    Both {
        /// The age.
        ms: u64,
        /// Octets of one partition.
        octets: u64,
    },
    /// The newest message of each key, and what has none.
    Compact(Compaction),
}

impl Default for Retention {
    fn default() -> Self {
        Self::Time {
            ms: Duration::from_hours(7 * 24).as_millis() as u64,
        }
    }
}

impl Retention {
    /// What these limits keep; everything where there is none.
    pub fn limits(ms: Option<u64>, octets: Option<u64>) -> Self {
        match (ms, octets) {
            (None, None) => Self::Forever,
            (Some(ms), None) => Self::Time { ms },
            (None, Some(octets)) => Self::Size { octets },
            (Some(ms), Some(octets)) => Self::Both { ms, octets },
        }
    }

    /// The age that takes messages away, in milliseconds.
    pub fn ms(self) -> Option<u64> {
        self.acting().0
    }

    /// The octets of a partition beyond which messages are taken away.
    pub fn octets(self) -> Option<u64> {
        self.acting().1
    }

    /// How it is compacted, if it is.
    pub fn compaction(self) -> Option<Compaction> {
        match self {
            Self::Compact(compaction) => Some(compaction),
            _ => None,
        }
    }

    fn acting(self) -> (Option<u64>, Option<u64>) {
        match self {
            Self::Settled | Self::Forever => (None, None),
            Self::Time { ms } => (Some(ms), None),
            Self::Size { octets } => (None, Some(octets)),
            Self::Both { ms, octets } => (Some(ms), Some(octets)),
            Self::Compact(compaction) => match compaction.beyond {
                Beyond::Goes => (compaction.ms, compaction.octets),
                Beyond::Stays => (None, None),
            },
        }
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        match self {
            Self::Settled => words.push("settled".to_owned()),
            Self::Forever => words.push("forever".to_owned()),
            Self::Compact(compaction) => words.extend(compaction.words()),
            Self::Time { .. } | Self::Size { .. } | Self::Both { .. } => {}
        }
        let age = self.ms().map(|ms| duration_text(Duration::from_millis(ms)));
        words.extend(age);
        words.extend(self.octets().map(size_text));
        f.write_str(&words.join(","))
    }
}

impl FromStr for Retention {
    type Err = Error;

    /// Reads what [`Display`](fmt::Display) writes: `settled`, `forever`, a time such as `7d`, a
    /// size such as `10GB`, or both as `7d,10GB`; and `compact`, with limits besides as
    /// `compact,7d` and settings as `compact,grace=1h,lag=5m,dirty=0.1`.
    ///
    /// # Errors
    /// `Invalid` for what is no retention.
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "settled" => return Ok(Self::Settled),
            "forever" => return Ok(Self::Forever),
            _ => {}
        }
        let mut parts = text.split(',').peekable();
        let mut compaction = parts.next_if_eq(&"compact").map(|_| Compaction::default());
        let mut limits = (None, None);
        for part in parts {
            let set = compaction
                .as_mut()
                .and_then(|settings| settings.read_word(part));
            if !set.unwrap_or_else(|| read_limit(part, &mut limits)) {
                return Err(unknown(text));
            }
        }
        let (ms, octets) = limits;
        Ok(match compaction {
            Some(compaction) => Self::Compact(compaction.within(ms, octets)),
            None if limits == (None, None) => return Err(unknown(text)),
            None => Self::limits(ms, octets),
        })
    }
}

/// `false` for what is no limit, or a second one of its kind.
fn read_limit(word: &str, (ms, octets): &mut (Option<u64>, Option<u64>)) -> bool {
    // A time first: `5m` is five minutes.
    let seen = match (parse_duration(word), parse_size(word)) {
        (Ok(age), _) if !age.is_zero() => {
            ms.replace(u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
        }
        (Err(_), Ok(size)) if size > 0 => octets.replace(size),
        _ => return false,
    };
    seen.is_none()
}

fn unknown(text: &str) -> Error {
    let message = format!(
        "unknown retention `{text}`; known: settled, forever, a time such as 7d, 12h or 90s, \
         a size such as 10GB or 512MiB, both as 7d,10GB, and compact, alone or as \
         compact,7d,10GB or compact,grace=24h,lag=5m,dirty=0.5"
    );
    Error::new(ErrorKind::Invalid, "read retention", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_back_as_it_was_written() {
        let words = [
            "settled",
            "forever",
            "7d",
            "90s",
            "1500ms",
            "10GB",
            "512MiB",
            "7d,10GB",
            "compact",
            "compact,7d",
            "compact,10GB",
            "compact,7d,10GB",
            "compact,grace=10s,lag=5m,dirty=0.01,7d",
            "compact,grace=500ms",
        ];
        for text in words {
            assert_eq!(text.parse::<Retention>().unwrap().to_string(), text);
        }
        assert_eq!("5m".parse::<Retention>().unwrap().ms(), Some(300_000));
        assert_eq!(Retention::default().to_string(), "7d");
    }

    #[test]
    fn what_it_does_not_know_is_refused_by_name() {
        let bad = [
            "",
            "soon",
            "7",
            "0s",
            "0B",
            "7d,7d",
            "1GB,2GB",
            "7d,",
            "settled,7d",
            "7d,compact",
            "compact,compact",
            "compact,",
            "compact,settled",
            "compact,grace=soon",
            "compact,dirty=2",
            "compact,lag=1s,lag=2s",
            "grace=1h",
        ];
        for text in bad {
            let error = text.parse::<Retention>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{text}");
            assert!(error.message().contains(&format!("`{text}`")));
        }
    }

    #[test]
    fn it_is_stored_under_its_name() {
        let stored = serde_json::to_string(&Retention::Size { octets: 5 }).unwrap();
        assert_eq!(stored, r#"{"size":{"octets":5}}"#);
        let before = serde_json::from_str::<Retention>(r#"{"time":{"ms":604800000}}"#);
        assert_eq!(before.unwrap(), Retention::default());
        let sparse = serde_json::from_str::<Retention>(r#"{"compact":{"ms":5}}"#).unwrap();
        let compaction = sparse.compaction().unwrap();
        assert_eq!((compaction.ms, compaction.grace_ms), (Some(5), 86_400_000));
        assert_eq!(sparse.ms(), None, "remembered, and not acting");
    }
}
