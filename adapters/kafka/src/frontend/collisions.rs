//! Names of topics that differ in `.` and `_` alone. Kafka's metrics call them the same, and so its
//! controller makes one of them only: of two that are here, one could not be mirrored there.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use standpipe_core::broker::Broker;

use super::{names, service::NAMESPACE};

const ALIKE: [char; 2] = ['.', '_'];

/// Topics that stand in the way of those which a request wants to be made.
#[derive(Debug, Default)]
pub(super) struct Collisions {
    /// By the name that is the same for all which are alike.
    taken: HashMap<String, Option<Arc<str>>>,
}

impl Collisions {
    /// What there is in the way of those of these names that no topic has. All topics are looked through,
    /// once, where any of them can be like another.
    pub(super) fn among<'a>(broker: &Broker, asked: impl Iterator<Item = &'a str>) -> Self {
        let asked = asked.filter(|name| name.contains(ALIKE));
        let asked = asked.filter(|name| broker.topic(NAMESPACE, name).is_none());
        let mut taken: HashMap<_, _> = asked.map(|name| (common(name), None)).collect();
        // Names that are alike have one length, and few topics have it.
        let lengths: HashSet<_> = taken.keys().map(String::len).collect();
        if !taken.is_empty() {
            let topics = names::topics(broker).into_iter();
            for topic in topics.filter(|topic| lengths.contains(&topic.name().len())) {
                if let Some(held) = taken.get_mut(&common(topic.name())) {
                    *held = Some(topic.name().clone());
                }
            }
        }
        Self { taken }
    }

    /// The topic that one of this name would be taken for.
    pub(super) fn with(&self, name: &str) -> Option<&str> {
        let held = self.taken.get(&common(name))?.as_deref();
        held.filter(|held| *held != name)
    }

    /// Takes note of a topic that was made meanwhile.
    pub(super) fn add(&mut self, name: &Arc<str>) {
        if let Some(held) = self.taken.get_mut(&common(name)) {
            *held = Some(name.clone());
        }
    }
}

fn common(name: &str) -> String {
    name.replace(ALIKE, "_")
}
