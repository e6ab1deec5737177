//! Exchanges and bindings of one namespace: from a publish to the set of topics that it goes to.
//!
//! A pure state machine: no clock, no I/O. The broker keeps durable [`ExchangeSpec`]s and
//! [`Binding`]s as keys in the store, declares and binds them again when it opens, and drops from
//! a route those names that are no topic.
//!
//! Semantics are AMQP 0-9-1's as RabbitMQ has them, exchange-to-exchange bindings included.

mod binding;
mod bindings;
mod declare;
mod exchange;
mod headers_rule;
mod kind;
mod limits;
mod matcher;
mod named_headers;
mod names;
pub(crate) mod persist;
mod remove;
mod route;
mod spec;
mod steps;
mod targets;
mod topic_trie;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use foldhash::HashMap;

pub use binding::{Binding, Destination};
pub use declare::Declared;
pub use kind::ExchangeKind;
pub use limits::Limits;
pub use remove::Removed;
pub use spec::{Arguments, ExchangeSpec};

pub(crate) use spec::shown;

use bindings::Bindings;
use exchange::Exchange;

/// The exchanges of one namespace and what is bound to them.
///
/// A new router holds `amq.direct`, `amq.fanout`, `amq.topic`, `amq.headers` and `amq.match`. The
/// default exchange, whose name is empty, is not stored: its routing key is the topic's name.
#[derive(Debug)]
pub struct Router {
    namespace: Arc<str>,
    limits: Limits,
    exchanges: HashMap<Arc<str>, Exchange>,
    bindings: Bindings,
}

impl Router {
    /// A router of `namespace`, with the predeclared exchanges and the default limits.
    pub fn new(namespace: impl Into<Arc<str>>) -> Self {
        Self::with_limits(namespace, Limits::default())
    }

    /// A router of `namespace` that holds at most what `limits` says.
    pub fn with_limits(namespace: impl Into<Arc<str>>, limits: Limits) -> Self {
        let exchanges = ExchangeSpec::predeclared()
            .map(|spec| (spec.name.clone(), Exchange::new(spec)))
            .collect();
        Self {
            namespace: namespace.into(),
            limits,
            exchanges,
            bindings: Bindings::default(),
        }
    }

    /// The namespace that it routes for.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The exchange called `name`; the default exchange, `""`, is none.
    pub fn exchange(&self, name: &str) -> Option<&ExchangeSpec> {
        self.exchanges.get(name).map(Exchange::spec)
    }

    /// All exchanges, the predeclared ones included, in no particular order.
    pub fn exchanges(&self) -> impl Iterator<Item = &ExchangeSpec> {
        self.exchanges.values().map(Exchange::spec)
    }

    /// All bindings, by source, destination, key and arguments.
    pub fn bindings(&self) -> impl Iterator<Item = &Binding> {
        self.bindings.iter()
    }

    /// The bindings whose source is the exchange called `source`.
    pub fn bindings_from<'a>(&'a self, source: &str) -> impl Iterator<Item = &'a Binding> {
        self.bindings.leaving(source)
    }

    /// The bindings that lead to `destination`.
    pub fn bindings_to<'a>(
        &'a self,
        destination: &Destination,
    ) -> impl Iterator<Item = &'a Binding> {
        self.bindings.leading_to(destination)
    }
}
