//! A limit on how many pieces are decoded together.
//!
//! Decoded, the smallest message, header or value takes dozens of times the octets that it takes on
//! a wire, so a limit on octets alone bounds nothing.

use super::{Message, Value};
use crate::error::{Error, ErrorKind, Result};

/// Messages, headers and values that one request or one stored entry may hold, nested ones and each
/// header's own value counted.
pub const PARTS_LIMIT: usize = 256 << 10;

/// Octets of a message, header or value in memory besides those of names and values.
const PART: usize = 128;

/// What is left of [`PARTS_LIMIT`] while something is decoded.
#[derive(Debug)]
pub struct Parts(usize);

impl Default for Parts {
    fn default() -> Self {
        Self(PARTS_LIMIT)
    }
}

impl Parts {
    /// Counts one more, before memory is taken for it.
    ///
    /// # Errors
    /// `TooLarge`, naming the limit, where there are too many.
    pub fn take(&mut self, operation: &'static str) -> Result<()> {
        match self.0.checked_sub(1) {
            Some(left) => self.0 = left,
            None => return Err(too_many(operation)),
        }
        Ok(())
    }
}

impl Message {
    /// Octets that it takes in memory, roughly: a header costs more there than its name and value.
    pub fn footprint(&self) -> usize {
        self.size() + self.parts() * PART
    }

    /// Itself, its headers and their values, nested ones counted: what [`PARTS_LIMIT`] bounds.
    pub fn parts(&self) -> usize {
        let header = |value: &Value| value.parts().saturating_add(1);
        let headers = self.headers.iter().map(|(_, value)| header(value));
        headers.fold(1, usize::saturating_add)
    }

    /// Whether it can be decoded again.
    ///
    /// # Errors
    /// `TooLarge`, naming the limit, where it has too many headers and values.
    pub fn check_parts(&self, operation: &'static str) -> Result<()> {
        if self.parts() > PARTS_LIMIT {
            return Err(too_many(operation));
        }
        Ok(())
    }
}

impl Value {
    /// Itself and what nests in it; a table's names are counted too.
    fn parts(&self) -> usize {
        let add = usize::saturating_add;
        match self {
            Self::List(items) => items.iter().map(Self::parts).fold(1, add),
            Self::Table(fields) => fields.iter().map(|(_, v)| add(v.parts(), 1)).fold(1, add),
            _ => 1,
        }
    }
}

fn too_many(operation: &'static str) -> Error {
    let message = format!(
        "more than {PARTS_LIMIT} messages, headers and values together; send fewer of them at once"
    );
    Error::new(ErrorKind::TooLarge, operation, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_nested_values_are_counted() {
        let table = Value::Table(vec![("a".into(), Value::Null), ("b".into(), Value::Null)]);
        let list = Value::List(vec![Value::Null, table]);
        let message = Message::new("x").with_header("one", "1");
        assert_eq!(message.parts(), 3);
        assert_eq!(message.with_header("list", list).parts(), 3 + 1 + 7);
    }

    #[test]
    fn the_limit_itself_passes_and_one_more_is_refused_by_name() {
        let list =
            |items| Message::new("x").with_header("l", Value::List(vec![Value::Null; items]));
        assert!(list(PARTS_LIMIT - 3).check_parts("test").is_ok());
        let refused = list(PARTS_LIMIT - 2).check_parts("test").unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::TooLarge);
        assert!(refused.message().contains("262144"), "{refused}");
    }
}
