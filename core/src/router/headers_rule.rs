//! What a binding to a headers exchange asks of a message.

use super::{named_headers::ByName, steps::Steps};
use crate::{
    error::{Error, ErrorKind, Result},
    message::{Text, Value},
};

const MATCH_ARGUMENT: &str = "x-match";

/// The headers that a message must have: all or any of them.
#[derive(Debug)]
pub(super) struct HeadersRule {
    quantifier: Quantifier,
    wanted: Vec<Wanted>,
}

/// A header that is asked for; null asks only that it is there.
#[derive(Debug)]
struct Wanted {
    name: Text,
    value: Value,
    /// What a look at it takes.
    steps: usize,
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
    /// `Invalid` for another value of `x-match`, `TooLarge` where more than `limit` take part.
    pub(super) fn parse(arguments: &[(Text, Value)], limit: usize) -> Result<Self> {
        let (quantifier, with_x) = match_argument(arguments)?;
        let takes_part = |name: &Text| {
            *name != MATCH_ARGUMENT && (with_x || !name.as_bytes().starts_with(b"x-"))
        };
        let wanted = arguments.iter().filter(|(name, _)| takes_part(name));
        let count = wanted.clone().count();
        if count > limit {
            let text = format!(
                "Invalid headers binding: {count} arguments take part in the match; the limit is {limit}"
            );
            return Err(Error::new(ErrorKind::TooLarge, "bind", text));
        }
        Ok(Self {
            quantifier,
            wanted: wanted.map(Wanted::from).collect(),
        })
    }

    /// Whether `headers` meet the rule. `all` of nothing is met, `any` of nothing is not. `None` where
    /// the answer takes more steps than are left.
    pub(super) fn matches(&self, headers: &ByName<'_>, steps: &mut Steps) -> Option<bool> {
        steps.take(1)?;
        let all = self.quantifier == Quantifier::All;
        for wanted in &self.wanted {
            if wanted.is_in(headers, steps)? != all {
                return Some(!all);
            }
        }
        Some(all)
    }
}

impl From<&(Text, Value)> for Wanted {
    fn from((name, value): &(Text, Value)) -> Self {
        Self {
            name: name.clone(),
            value: value.clone(),
            steps: Steps::over(name.len() + value.size()),
        }
    }
}

impl Wanted {
    fn is_in(&self, headers: &ByName<'_>, steps: &mut Steps) -> Option<bool> {
        steps.take(self.steps)?;
        let Some(values) = headers.get(&self.name) else {
            return Some(false);
        };
        if self.value == Value::Null {
            return Some(true);
        }
        for value in values {
            steps.take(self.steps)?;
            if same(&self.value, value) {
                return Some(true);
            }
        }
        Some(false)
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

/// Equality across widths and kinds of text: clients choose a number's width by its size, so 5 of 32 bits is
/// 5 of 64, and some send text as octets, which RabbitMQ does not tell apart either.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_integer(), b.as_integer()) {
        (Some(a), Some(b)) => return a == b,
        (None, None) => {}
        _ => return false,
    }
    match (a, b) {
        (Value::F32(a), Value::F64(b)) | (Value::F64(b), Value::F32(a)) => f64::from(*a) == *b,
        (Value::Text(text), Value::Bytes(octets)) | (Value::Bytes(octets), Value::Text(text)) => {
            text.as_bytes() == octets
        }
        _ => a == b,
    }
}
