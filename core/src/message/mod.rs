//! The pivot between protocols: a message as plain data, cheap to clone, without ack state.

mod annotations;
mod headers;
mod parts;
mod props;
mod text;
pub mod typed;
mod types;
mod value;

pub use annotations::Annotations;
pub use headers::{Header, Headers};
pub use parts::{PARTS_LIMIT, Parts};
pub use props::Props;
pub use text::Text;
pub use types::{TYPES_HEADER, Types};
pub use value::{Decimal, Value};

use bytes::Bytes;

/// A message. Absent and empty differ throughout: a tombstone has no `payload`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Message {
    /// What the message is about; chooses the partition and, on a compacted topic, what it replaces.
    pub key: Option<Bytes>,
    /// The producer's bytes; `None` is a tombstone.
    pub payload: Option<Bytes>,
    /// The producer's headers, in order, duplicates kept.
    pub headers: Headers,
    /// Standard properties.
    pub props: Props,
    /// What the broker knows about this copy; a producer's own are ignored.
    pub annotations: Annotations,
}

impl Message {
    /// A message with a payload and nothing else.
    pub fn new(payload: impl Into<Bytes>) -> Self {
        Self {
            payload: Some(payload.into()),
            ..Self::default()
        }
    }

    /// Sets the key.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<Bytes>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Appends a header; an earlier one of the same name stays.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<Text>, value: impl Into<Value>) -> Self {
        self.headers.push(name, value);
        self
    }

    /// Bytes of key, payload and headers: what limits and credits count.
    pub fn size(&self) -> usize {
        let len = |part: &Option<Bytes>| part.as_ref().map_or(0, Bytes::len);
        len(&self.key) + len(&self.payload) + self.headers.size()
    }
}
