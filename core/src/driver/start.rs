//! Where reading starts.

use std::{fmt, str::FromStr};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    error::{Error, ErrorKind, Result},
    id::{Millis, Offset},
};

/// Where a new subscription or a seek starts: `from=earliest|latest|OFFSET|RFC 3339`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StartAt {
    /// The oldest message that is still there.
    #[default]
    Earliest,
    /// Behind the newest.
    Latest,
    /// That offset, in each partition.
    Offset(Offset),
    /// The first message at or after that time, in each partition.
    Time(Millis),
}

impl FromStr for StartAt {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "earliest" => return Ok(Self::Earliest),
            "latest" => return Ok(Self::Latest),
            _ => {}
        }
        if let Ok(offset) = text.parse() {
            return Ok(Self::Offset(Offset(offset)));
        }
        let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| {
            let message = format!(
                "`{text}` is no place to start; use earliest, latest, an offset, \
                 or a time such as 2013-01-01T05:00:00Z"
            );
            Error::new(ErrorKind::Invalid, "parse start", message)
        })?;
        let millis = time.unix_timestamp_nanos().div_euclid(1_000_000);
        Ok(Self::Time(Millis(i64::try_from(millis).expect(
            "years up to 9999 fit in 64 bits of milliseconds",
        ))))
    }
}

impl fmt::Display for StartAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Earliest => f.write_str("earliest"),
            Self::Latest => f.write_str("latest"),
            Self::Offset(offset) => offset.fmt(f),
            Self::Time(at) => {
                let nanos = i128::from(at.0) * 1_000_000;
                let text = OffsetDateTime::from_unix_timestamp_nanos(nanos)
                    .ok()
                    .and_then(|time| time.format(&Rfc3339).ok());
                match text {
                    Some(text) => f.write_str(&text),
                    None => write!(f, "{} ms", at.0),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_start_reads_back_as_it_was_written() {
        for text in ["earliest", "latest", "42", "2013-01-01T05:00:00Z"] {
            assert_eq!(text.parse::<StartAt>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn an_unknown_start_names_the_known_ones() {
        let error = "yesterday".parse::<StartAt>().unwrap_err().to_string();
        assert!(
            error.contains("`yesterday`") && error.contains("earliest"),
            "{error}"
        );
    }
}
