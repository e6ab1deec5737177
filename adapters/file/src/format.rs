//! What a line is.

use std::str::FromStr;

/// What the lines of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Format {
    /// A JSON envelope each: everything about a message.
    #[default]
    Envelope,
    /// A payload each, byte for byte.
    Lines,
    /// Records under a head line; a payload each, as a JSON object of text. Read only.
    Csv,
}

impl FromStr for Format {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "envelope" => Ok(Self::Envelope),
            "lines" => Ok(Self::Lines),
            "csv" => Ok(Self::Csv),
            _ => Err("known are envelope, lines and csv"),
        }
    }
}
