//! Which protocols the members of a group support.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::Protocol;

/// How many members support each protocol. Asking once for each name, whoever joins costs the same
/// however many members there are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Supported(HashMap<Arc<str>, usize>);

impl Supported {
    /// A member with these protocols is in.
    pub(super) fn add(&mut self, protocols: &[Protocol]) {
        for name in distinct(protocols) {
            *self.0.entry(name.clone()).or_default() += 1;
        }
    }

    /// It is out.
    pub(super) fn remove(&mut self, protocols: &[Protocol]) {
        for name in distinct(protocols) {
            if let Some(count) = self.0.get_mut(name) {
                *count -= 1;
                if *count == 0 {
                    self.0.remove(name);
                }
            }
        }
    }

    /// Members that support it.
    pub(super) fn by(&self, name: &str) -> usize {
        self.0.get(name).copied().unwrap_or(0)
    }
}

/// A member may name one several times.
fn distinct(protocols: &[Protocol]) -> BTreeSet<&Arc<str>> {
    protocols.iter().map(|protocol| &protocol.name).collect()
}
