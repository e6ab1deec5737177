//! An exchange's bindings, arranged for its kind.

use std::collections::BTreeMap;

use bytes::Bytes;
use foldhash::HashMap;

use super::{
    ExchangeKind, Limits,
    binding::{Binding, BindingId, Destination},
    headers_rule::HeadersRule,
    named_headers::NamedHeaders,
    steps::Steps,
    targets::Targets,
    topic_trie::TopicTrie,
};
use crate::error::Result;

/// From a key and headers to destinations, one arrangement a kind.
#[derive(Debug)]
pub(super) enum Matcher {
    Direct(HashMap<Bytes, Targets>),
    Fanout(Targets),
    Topic(TopicTrie),
    Headers(BTreeMap<BindingId, HeadersRule>),
}

impl Matcher {
    pub(super) fn new(kind: ExchangeKind) -> Self {
        match kind {
            ExchangeKind::Direct => Self::Direct(HashMap::default()),
            ExchangeKind::Fanout => Self::Fanout(Targets::default()),
            ExchangeKind::Topic => Self::Topic(TopicTrie::default()),
            ExchangeKind::Headers => Self::Headers(BTreeMap::new()),
        }
    }

    /// Adds a binding that is not there yet.
    ///
    /// # Errors
    /// `Invalid` for arguments that the kind does not accept, `TooLarge` for more than it matches by;
    /// nothing is added then.
    pub(super) fn add(&mut self, id: &BindingId, binding: &Binding, limits: &Limits) -> Result<()> {
        match self {
            Self::Direct(keys) => keys.entry(id.key.clone()).or_default().add(&id.destination),
            Self::Fanout(targets) => targets.add(&id.destination),
            Self::Topic(trie) => trie.add(&id.key, &id.destination),
            Self::Headers(rules) => {
                let rule = HeadersRule::parse(&binding.arguments, limits.rule_arguments)?;
                rules.insert(id.clone(), rule);
            }
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, id: &BindingId) {
        match self {
            Self::Direct(keys) => {
                if let Some(targets) = keys.get_mut(&id.key) {
                    targets.remove(&id.destination);
                    if targets.is_empty() {
                        keys.remove(&id.key);
                    }
                }
            }
            Self::Fanout(targets) => targets.remove(&id.destination),
            Self::Topic(trie) => trie.remove(&id.key, &id.destination),
            Self::Headers(rules) => {
                rules.remove(id);
            }
        }
    }

    /// Calls `found` for every destination that the headers, or any of `keys`, match; one may come
    /// more than once. `None` where that takes more steps than are left.
    pub(super) fn each_match<'a>(
        &'a self,
        keys: &[&[u8]],
        headers: &mut NamedHeaders<'_>,
        steps: &mut Steps,
        mut found: impl FnMut(&'a Destination),
    ) -> Option<()> {
        match self {
            Self::Direct(by_key) => {
                for key in keys {
                    steps.take(Steps::over(key.len()))?;
                    if let Some(targets) = by_key.get(*key) {
                        targets.each(steps, &mut found)?;
                    }
                }
            }
            Self::Fanout(targets) => targets.each(steps, found)?,
            Self::Topic(trie) => trie.each_match(keys, steps, found)?,
            Self::Headers(rules) => {
                let headers = headers.by_name(steps)?;
                for (id, rule) in rules {
                    if rule.matches(headers, steps)? {
                        found(&id.destination);
                    }
                }
            }
        }
        Some(())
    }
}
