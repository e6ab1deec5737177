//! An exchange's bindings, arranged for its kind.

use bytes::Bytes;
use foldhash::HashMap;

use super::{
    ExchangeKind,
    binding::{Binding, BindingId, Destination},
    headers_rule::HeadersRule,
    targets::Targets,
    topic_trie::TopicTrie,
};
use crate::{error::Result, message::Headers};

/// From a key and headers to destinations, one arrangement a kind.
#[derive(Debug)]
pub(super) enum Matcher {
    Direct(HashMap<Bytes, Targets>),
    Fanout(Targets),
    Topic(TopicTrie),
    Headers(Vec<HeadersBinding>),
}

#[derive(Debug)]
pub(super) struct HeadersBinding {
    rule: HeadersRule,
    id: BindingId,
}

impl Matcher {
    pub(super) fn new(kind: ExchangeKind) -> Self {
        match kind {
            ExchangeKind::Direct => Self::Direct(HashMap::default()),
            ExchangeKind::Fanout => Self::Fanout(Targets::default()),
            ExchangeKind::Topic => Self::Topic(TopicTrie::default()),
            ExchangeKind::Headers => Self::Headers(Vec::new()),
        }
    }

    /// Adds a binding that is not there yet.
    ///
    /// # Errors
    /// `Invalid` for arguments that the kind does not accept; nothing is added then.
    pub(super) fn add(&mut self, id: &BindingId, binding: &Binding) -> Result<()> {
        match self {
            Self::Direct(keys) => keys.entry(id.key.clone()).or_default().add(&id.destination),
            Self::Fanout(targets) => targets.add(&id.destination),
            Self::Topic(trie) => trie.add(&id.key, &id.destination),
            Self::Headers(rules) => rules.push(HeadersBinding {
                rule: HeadersRule::parse(&binding.arguments)?,
                id: id.clone(),
            }),
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
            Self::Headers(rules) => rules.retain(|held| held.id != *id),
        }
    }

    /// Calls `found` for every destination that matches; one may come more than once.
    pub(super) fn each_match<'a>(
        &'a self,
        key: &[u8],
        headers: &Headers,
        mut found: impl FnMut(&'a Destination),
    ) {
        match self {
            Self::Direct(keys) => {
                if let Some(targets) = keys.get(key) {
                    targets.iter().for_each(found);
                }
            }
            Self::Fanout(targets) => targets.iter().for_each(found),
            Self::Topic(trie) => trie.each_match(key, found),
            Self::Headers(rules) => {
                for held in rules.iter().filter(|held| held.rule.matches(headers)) {
                    found(&held.id.destination);
                }
            }
        }
    }
}
