//! One binding: from an exchange to a topic or to another exchange.

use std::{fmt, sync::Arc};

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::{Arguments, persist};
use crate::{message::Text, native::put_value, wire::Writer};

/// Where a binding leads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Destination {
    /// The topic, or queue, of that name.
    Topic(Arc<str>),
    /// The exchange of that name, which routes again with the same key and headers.
    Exchange(Arc<str>),
}

impl Destination {
    /// The name of the topic or exchange.
    pub fn name(&self) -> &Arc<str> {
        match self {
            Self::Topic(name) | Self::Exchange(name) => name,
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(name) => write!(f, "queue '{name}'"),
            Self::Exchange(name) => write!(f, "exchange '{name}'"),
        }
    }
}

/// A binding. All four fields together are its identity; the order of arguments is not part of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Binding {
    /// The exchange that it takes messages from.
    pub source: Arc<str>,
    /// Where it takes them.
    pub destination: Destination,
    /// The routing key, or the pattern of a topic exchange; fanout and headers ignore it.
    #[serde(with = "persist::text")]
    pub key: Text,
    /// The arguments, kept verbatim; a headers exchange matches by them.
    #[serde(with = "persist::arguments")]
    pub arguments: Arguments,
}

impl Binding {
    /// A binding without arguments.
    pub fn new(
        source: impl Into<Arc<str>>,
        destination: Destination,
        key: impl Into<Text>,
    ) -> Self {
        Self {
            source: source.into(),
            destination,
            key: key.into(),
            arguments: Vec::new(),
        }
    }

    /// Sets the arguments.
    #[must_use]
    pub fn with_arguments(mut self, arguments: Arguments) -> Self {
        self.arguments = arguments;
        self
    }

    pub(super) fn id(&self) -> BindingId {
        BindingId {
            source: self.source.clone(),
            destination: self.destination.clone(),
            key: self.key.as_bytes().clone(),
            arguments: canonical(&self.arguments),
        }
    }
}

/// What makes two bindings the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct BindingId {
    pub(super) source: Arc<str>,
    pub(super) destination: Destination,
    pub(super) key: Bytes,
    /// The arguments in canonical bytes: values such as floats have no order or hash of their own.
    pub(super) arguments: Bytes,
}

fn canonical(arguments: &Arguments) -> Bytes {
    let mut sorted: Vec<_> = arguments.iter().collect();
    sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut out = BytesMut::new();
    for (name, value) in sorted {
        out.put_bytes_with_length(name.as_bytes());
        put_value(&mut out, value);
    }
    out.freeze()
}
