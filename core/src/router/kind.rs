//! How an exchange chooses among its bindings.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};

/// How an exchange chooses among its bindings (AMQP 0-9-1, section 3.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ExchangeKind {
    /// The routing key equals the binding's.
    Direct,
    /// Always.
    Fanout,
    /// The binding's key is a pattern: `*` is one word, `#` any number of words, words end at dots.
    Topic,
    /// The binding's arguments match the message's headers, all or any of them (`x-match`).
    Headers,
}

impl ExchangeKind {
    /// The name that protocols use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Fanout => "fanout",
            Self::Topic => "topic",
            Self::Headers => "headers",
        }
    }
}

impl fmt::Display for ExchangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ExchangeKind {
    type Err = Error;

    /// # Errors
    /// `Invalid` for a kind that is not there, with the known ones.
    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "direct" => Ok(Self::Direct),
            "fanout" => Ok(Self::Fanout),
            "topic" => Ok(Self::Topic),
            "headers" => Ok(Self::Headers),
            _ => Err(Error::new(
                ErrorKind::Invalid,
                "declare exchange",
                format!("unknown exchange type '{name}'; known: direct, fanout, headers, topic"),
            )),
        }
    }
}
