//! Passwords, and where they come from.

use std::fmt;

use super::FileReader;
use crate::error::{Error, ErrorKind, Result};

/// A secret as an address has it. Neither `Debug` nor `Display` shows a literal one.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// Written in the address.
    Literal(String),
    /// The value of an environment variable: `${env:NAME}`.
    Env(String),
    /// The content of a file without its last newline: `${file:PATH}`.
    File(String),
}

impl Secret {
    /// Understands a decoded password.
    pub(super) fn parse(text: String) -> std::result::Result<Self, String> {
        let Some(reference) = text.strip_prefix("${").and_then(|r| r.strip_suffix('}')) else {
            return Ok(Self::Literal(text));
        };
        match reference.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Ok(Self::Env(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.to_owned())),
            _ => Err("the password is a reference of no known kind; \
                      known: ${env:NAME}, ${file:PATH}"
                .to_owned()),
        }
    }

    /// The secret itself; `files` reads what is in a file.
    ///
    /// # Errors
    /// `Invalid` where the variable is not set or the file cannot be read.
    pub fn read(&self, files: FileReader) -> Result<String> {
        let invalid = |message| Error::new(ErrorKind::Invalid, "read secret", message);
        match self {
            Self::Literal(text) => Ok(text.clone()),
            Self::Env(name) => std::env::var(name)
                .map_err(|_| invalid(format!("the environment variable {name} is not set"))),
            Self::File(path) => match files.read(path) {
                Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
                Err(error) => Err(invalid(format!("the file {path} cannot be read: {error}"))),
            },
        }
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(_) => f.write_str("***"),
            Self::Env(name) => write!(f, "${{env:{name}}}"),
            Self::File(path) => write!(f, "${{file:{path}}}"),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
