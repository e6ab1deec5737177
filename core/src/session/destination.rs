//! Where a publish goes, as native and gRPC clients write it.

use std::{fmt, str::FromStr};

use crate::error::{Error, ErrorKind, Result};

/// `/NAME` is a topic; `?exchange=E&key=K` an exchange with a routing key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// The topic of that name, brought into being where it is not there.
    Topic(String),
    /// An exchange; it must be there.
    Exchange {
        /// The exchange's name; empty is AMQP's default exchange.
        exchange: String,
        /// The routing key.
        key: String,
    },
}

impl FromStr for Destination {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some(name) = text.strip_prefix('/').filter(|name| !name.is_empty()) {
            return Ok(Self::Topic(name.to_owned()));
        }
        let Some(query) = text.strip_prefix('?') else {
            return Err(invalid(text));
        };
        let (mut exchange, mut key) = (None, None);
        for pair in query.split('&') {
            let slot = match pair.split_once('=') {
                Some(("exchange", value)) => (&mut exchange, value),
                Some(("key", value)) => (&mut key, value),
                _ => return Err(invalid(text)),
            };
            *slot.0 = Some(percent_decode(slot.1).ok_or_else(|| invalid(text))?);
        }
        match (exchange, key) {
            (Some(exchange), key) => Ok(Self::Exchange {
                exchange,
                key: key.unwrap_or_default(),
            }),
            _ => Err(invalid(text)),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(name) => write!(f, "/{name}"),
            Self::Exchange { exchange, key } => {
                f.write_str("?exchange=")?;
                percent_encode(exchange, f)?;
                f.write_str("&key=")?;
                percent_encode(key, f)
            }
        }
    }
}

fn invalid(text: &str) -> Error {
    let message =
        format!("`{text}` is no destination; use `/TOPIC`, or `?exchange=E&key=K` percent-encoded");
    Error::new(ErrorKind::Invalid, "parse destination", message)
}

fn percent_encode(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for octet in text.bytes() {
        match octet {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                write!(f, "{}", char::from(octet))?;
            }
            _ => write!(f, "%{octet:02X}")?,
        }
    }
    Ok(())
}

fn percent_decode(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        if octet != b'%' {
            octets.push(octet);
            continue;
        }
        let digit = |octet: Option<u8>| char::from(octet?).to_digit(16);
        let (high, low) = (digit(rest.next())?, digit(rest.next())?);
        octets.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(octets).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_destination_that_is_neither_is_refused_with_both_forms() {
        for text in [
            "",
            "/",
            "orders",
            "?",
            "?key=k",
            "?exchange=e&x=y",
            "?exchange=%zz",
        ] {
            let error = text.parse::<Destination>().unwrap_err().to_string();
            assert!(
                error.contains("/TOPIC") && error.contains("?exchange="),
                "{error}"
            );
        }
    }

    proptest! {
        #[test]
        fn every_destination_reads_back_as_it_was_written(exchange: String, key: String) {
            let written = Destination::Exchange { exchange, key };
            prop_assert_eq!(written.to_string().parse::<Destination>().unwrap(), written);
        }
    }
}
