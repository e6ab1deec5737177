//! What an exchange is declared as.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{ExchangeKind, persist};
use crate::message::{Text, Value};

/// Named values as a client sent them, in order.
pub type Arguments = Vec<(Text, Value)>;

/// The argument that names where a message goes which matches nothing. The one that has to be equal
/// when the exchange is declared again, as in RabbitMQ.
const ALTERNATE: &str = "alternate-exchange";

/// An exchange as it was declared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExchangeSpec {
    /// The name, unique in its namespace.
    pub name: Arc<str>,
    /// How it chooses among its bindings.
    pub kind: ExchangeKind,
    /// Whether it survives a restart.
    pub durable: bool,
    /// Whether it goes when the last binding that it is the source of is removed.
    pub auto_delete: bool,
    /// Whether only other exchanges may publish to it.
    pub internal: bool,
    /// The arguments, kept verbatim.
    #[serde(with = "persist::arguments")]
    pub arguments: Arguments,
}

impl ExchangeSpec {
    /// A durable exchange with nothing else set.
    pub fn new(name: impl Into<Arc<str>>, kind: ExchangeKind) -> Self {
        Self {
            name: name.into(),
            kind,
            durable: true,
            auto_delete: false,
            internal: false,
            arguments: Vec::new(),
        }
    }

    /// Whether it is one of those that every namespace has from the start.
    pub fn is_predeclared(&self) -> bool {
        Self::predeclared().any(|spec| spec.name == self.name)
    }

    pub(super) fn predeclared() -> impl Iterator<Item = Self> {
        [
            ("amq.direct", ExchangeKind::Direct),
            ("amq.fanout", ExchangeKind::Fanout),
            ("amq.topic", ExchangeKind::Topic),
            ("amq.headers", ExchangeKind::Headers),
            ("amq.match", ExchangeKind::Headers),
        ]
        .into_iter()
        .map(|(name, kind)| Self::new(name, kind))
    }

    /// The first difference to `received` that makes a second declaration inequivalent: its name,
    /// what was received and what is current.
    pub(super) fn difference(&self, received: &Self) -> Option<(&'static str, String, String)> {
        let flags = [
            ("durable", received.durable, self.durable),
            ("auto_delete", received.auto_delete, self.auto_delete),
            ("internal", received.internal, self.internal),
        ];
        if received.kind != self.kind {
            let quoted = |kind: ExchangeKind| format!("'{kind}'");
            return Some(("type", quoted(received.kind), quoted(self.kind)));
        }
        if let Some((name, received, current)) = flags.into_iter().find(|(_, a, b)| a != b) {
            return Some((name, format!("'{received}'"), format!("'{current}'")));
        }
        let (received, current) = shown(received.alternate_argument(), self.alternate_argument())?;
        Some((ALTERNATE, received, current))
    }

    /// The exchange that takes what matches none of its bindings; it need not be there.
    pub(super) fn alternate(&self) -> Option<&str> {
        match self.alternate_argument() {
            Some(Value::Text(name)) => name.as_str(),
            _ => None,
        }
    }

    fn alternate_argument(&self) -> Option<&Value> {
        let found = self.arguments.iter().find(|(n, _)| n == ALTERNATE);
        found.map(|(_, value)| value)
    }
}

/// How RabbitMQ tells what was received from what is current, where they differ. Of an integer the
/// number counts, and not how wide the client made it.
pub(crate) fn shown(received: Option<&Value>, current: Option<&Value>) -> Option<(String, String)> {
    let integers = || Some((received?.as_integer()?, current?.as_integer()?));
    let is_same = integers().map_or_else(|| received == current, |(a, b)| a == b);
    let both = received.is_some() && current.is_some();
    let shown = |value: Option<&Value>| match value {
        None => "none".to_owned(),
        Some(value) if both => format!("'{}'", value.shown()),
        Some(value) => format!("the value '{}' of type '{}'", value.shown(), value.kind()),
    };
    (!is_same).then(|| (shown(received), shown(current)))
}
