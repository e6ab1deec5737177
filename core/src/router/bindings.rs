//! All bindings of a router, found by identity, by source and by destination.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
};

use bytes::Bytes;
use foldhash::HashMap;

use super::binding::{Binding, BindingId, Destination};

/// An index of bindings. Ordered, so that what follows from a removal always has the same order.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    by_id: BTreeMap<BindingId, Binding>,
    by_destination: HashMap<Destination, BTreeSet<BindingId>>,
    arguments_bytes: usize,
}

impl Bindings {
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Octets of all arguments.
    pub(super) fn arguments_bytes(&self) -> usize {
        self.arguments_bytes
    }

    pub(super) fn contains(&self, id: &BindingId) -> bool {
        self.by_id.contains_key(id)
    }

    pub(super) fn insert(&mut self, id: BindingId, binding: Binding) {
        let incoming = self
            .by_destination
            .entry(id.destination.clone())
            .or_default();
        incoming.insert(id.clone());
        self.arguments_bytes += id.arguments.len();
        self.by_id.insert(id, binding);
    }

    pub(super) fn remove(&mut self, id: &BindingId) -> Option<Binding> {
        let binding = self.by_id.remove(id)?;
        self.arguments_bytes -= id.arguments.len();
        if let Some(incoming) = self.by_destination.get_mut(&id.destination) {
            incoming.remove(id);
            if incoming.is_empty() {
                self.by_destination.remove(&id.destination);
            }
        }
        Some(binding)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Binding> {
        self.by_id.values()
    }

    pub(super) fn leaving<'a>(&'a self, source: &str) -> impl Iterator<Item = &'a Binding> {
        self.range_of(source).map(|(_, binding)| binding)
    }

    pub(super) fn leading_to<'a>(
        &'a self,
        destination: &Destination,
    ) -> impl Iterator<Item = &'a Binding> {
        let ids = self.by_destination.get(destination).into_iter().flatten();
        ids.filter_map(|id| self.by_id.get(id))
    }

    pub(super) fn ids_from(&self, source: &str) -> Vec<BindingId> {
        self.range_of(source).map(|(id, _)| id.clone()).collect()
    }

    pub(super) fn ids_to(&self, destination: &Destination) -> Vec<BindingId> {
        let ids = self.by_destination.get(destination).into_iter().flatten();
        ids.cloned().collect()
    }

    pub(super) fn has_source(&self, source: &str) -> bool {
        self.range_of(source).next().is_some()
    }

    fn range_of<'a>(&'a self, source: &str) -> impl Iterator<Item = (&'a BindingId, &'a Binding)> {
        let source: Arc<str> = source.into();
        let first = BindingId {
            source: source.clone(),
            destination: Destination::Topic("".into()),
            key: Bytes::new(),
            arguments: Bytes::new(),
        };
        let range = self.by_id.range((Bound::Included(first), Bound::Unbounded));
        range.take_while(move |(id, _)| id.source == source)
    }
}
