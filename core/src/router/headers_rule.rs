//! What a binding to a headers exchange asks of a message.

use crate::{
    error::{Error, ErrorKind, Result},
    message::{Headers, Text, Value},
};

const MATCH_ARGUMENT: &str = "x-match";

/// The headers that a message must have: all or any of them.
#[derive(Debug)]
pub(super) struct HeadersRule {
    quantifier: Quantifier,
    wanted: Vec<(Text, Value)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quantifier {
    All,
    Any,
}

impl HeadersRule {
    /// Reads a binding's arguments. Those that begin with `x-` take no part, unless `x-match` says
    /// `all-with-x` or `any-with-x`; `x-match` itself never does.
    ///
    /// # Errors
    /// `Invalid` for another value of `x-match`.
    pub(super) fn parse(arguments: &[(Text, Value)]) -> Result<Self> {
        let (quantifier, with_x) = match_argument(arguments)?;
        let takes_part = |name: &Text| {
            *name != MATCH_ARGUMENT && (with_x || !name.as_bytes().starts_with(b"x-"))
        };
        let wanted = arguments.iter().filter(|(name, _)| takes_part(name));
        Ok(Self {
            quantifier,
            wanted: wanted.cloned().collect(),
        })
    }

    /// Whether `headers` meet the rule. `all` of nothing is met, `any` of nothing is not.
    pub(super) fn matches(&self, headers: &Headers) -> bool {
        let mut wanted = self.wanted.iter();
        match self.quantifier {
            Quantifier::All => wanted.all(|(name, value)| has(headers, name, value)),
            Quantifier::Any => wanted.any(|(name, value)| has(headers, name, value)),
        }
    }
}

fn match_argument(arguments: &[(Text, Value)]) -> Result<(Quantifier, bool)> {
    let given = arguments.iter().find(|(name, _)| *name == MATCH_ARGUMENT);
    // The texts are RabbitMQ's.
    let invalid = |text: String| Err(Error::new(ErrorKind::Invalid, "bind", text));
    match given {
        None => Ok((Quantifier::All, false)),
        Some((_, Value::Text(text))) => match text.as_bytes().as_ref() {
            b"all" => Ok((Quantifier::All, false)),
            b"any" => Ok((Quantifier::Any, false)),
            b"all-with-x" => Ok((Quantifier::All, true)),
            b"any-with-x" => Ok((Quantifier::Any, true)),
            _ => invalid(format!(
                "Invalid x-match field value <<\"{text}\">>; expected all, any, all-with-x, or any-with-x"
            )),
        },
        Some((_, other)) => {
            let (kind, value) = (other.kind(), other.shown());
            invalid(format!(
                "Invalid x-match field type {kind} (value {value}); expected longstr"
            ))
        }
    }
}

/// Whether some header called `name` has `wanted` for its value; null asks only that it is there.
fn has(headers: &Headers, name: &Text, wanted: &Value) -> bool {
    let mut values = headers.iter().filter(|(n, _)| n == name);
    values.any(|(_, value)| *wanted == Value::Null || same(wanted, value))
}

/// Equality across widths: clients choose a number's width by its size, so 5 of 32 bits is 5 of 64.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_integer(), b.as_integer()) {
        (Some(a), Some(b)) => return a == b,
        (None, None) => {}
        _ => return false,
    }
    match (a, b) {
        (Value::F32(a), Value::F64(b)) | (Value::F64(b), Value::F32(a)) => f64::from(*a) == *b,
        _ => a == b,
    }
}
