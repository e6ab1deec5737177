//! What a topic keeps, and the words for it that all protocols share.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
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
        match self {
            Self::Time { ms } | Self::Both { ms, .. } => Some(ms),
            Self::Settled | Self::Forever | Self::Size { .. } => None,
        }
    }

    /// The octets of a partition beyond which messages are taken away.
    pub fn octets(self) -> Option<u64> {
        match self {
            Self::Size { octets } | Self::Both { octets, .. } => Some(octets),
            Self::Settled | Self::Forever | Self::Time { .. } => None,
        }
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let age = self.ms().map(|ms| duration_text(Duration::from_millis(ms)));
        match (self, age, self.octets().map(size_text)) {
            (Self::Settled, ..) => f.write_str("settled"),
            (_, Some(age), Some(size)) => write!(f, "{age},{size}"),
            (_, Some(one), None) | (_, None, Some(one)) => f.write_str(&one),
            (_, None, None) => f.write_str("forever"),
        }
    }
}

impl FromStr for Retention {
    type Err = Error;

    /// Reads what [`Display`](fmt::Display) writes: `settled`, `forever`, a time such as `7d`, a
    /// size such as `10GB`, or both as `7d,10GB`.
    ///
    /// # Errors
    /// `Unsupported` for `compact`, `Invalid` for what is no retention.
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "settled" => return Ok(Self::Settled),
            "forever" => return Ok(Self::Forever),
            "compact" => {
                let message =
                    "retention `compact` is not implemented yet; use settled, forever, 7d or 10GB";
                return Err(refused(ErrorKind::Unsupported, message.to_owned()));
            }
            _ => {}
        }
        let (mut ms, mut octets) = (None, None);
        for part in text.split(',') {
            // A time first: `5m` is five minutes.
            let seen = match (parse_duration(part), parse_size(part)) {
                (Ok(age), _) if !age.is_zero() => {
                    ms.replace(u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
                }
                (Err(_), Ok(size)) if size > 0 => octets.replace(size),
                _ => return Err(unknown(text)),
            };
            if seen.is_some() {
                return Err(unknown(text));
            }
        }
        Ok(Self::limits(ms, octets))
    }
}

fn unknown(text: &str) -> Error {
    let message = format!(
        "unknown retention `{text}`; known: settled, forever, a time such as 7d, 12h or 90s, \
         a size such as 10GB or 512MiB, or both as 7d,10GB"
    );
    refused(ErrorKind::Invalid, message)
}

fn refused(kind: ErrorKind, message: String) -> Error {
    Error::new(kind, "read retention", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_back_as_it_was_written() {
        let words = [
            "settled", "forever", "7d", "90s", "1500ms", "10GB", "512MiB", "7d,10GB",
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
        ];
        for text in bad {
            let error = text.parse::<Retention>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{text}");
            assert!(error.message().contains(&format!("`{text}`")));
        }
        let compact = "compact".parse::<Retention>().unwrap_err();
        assert_eq!(compact.kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn it_is_stored_under_its_name() {
        let stored = serde_json::to_string(&Retention::Size { octets: 5 }).unwrap();
        assert_eq!(stored, r#"{"size":{"octets":5}}"#);
        let before = serde_json::from_str::<Retention>(r#"{"time":{"ms":604800000}}"#);
        assert_eq!(before.unwrap(), Retention::default());
    }
}
