//! What a request names, each once: where a name may stand any number of times, a short request has
//! an answer of any length. Kafka takes most of these lists as sets.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
};

/// The items that name what none before them does; `name` says what an item names.
pub(super) fn distinct<T, K: Eq + Hash>(mut items: Vec<T>, name: impl Fn(&T) -> K) -> Vec<T> {
    let mut named = HashSet::with_capacity(items.len());
    items.retain(|item| named.insert(name(item)));
    items
}

/// Partitions that were named, by topic.
#[derive(Debug, Default)]
pub(super) struct NamedPartitions(HashMap<String, HashSet<i32>>);

impl NamedPartitions {
    /// Those that were not named before.
    pub(super) fn new_of(&mut self, topic: &str, mut partitions: Vec<i32>) -> Vec<i32> {
        let named = self.0.entry(topic.to_owned()).or_default();
        partitions.retain(|partition| named.insert(*partition));
        partitions
    }
}
