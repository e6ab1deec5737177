//! Queues that belong to a connection each, and go with it.

use std::collections::{HashMap, HashSet};

use parking_lot::Mutex;

use super::{Broker, QUEUE, Topic};
use crate::{dispatcher::OwnerId, id::TopicId};

/// The topics of such queues, by owner.
#[derive(Debug, Default)]
pub(super) struct Owned(Mutex<HashMap<OwnerId, HashSet<TopicId>>>);

impl Owned {
    pub(super) fn add(&self, owner: OwnerId, topic: TopicId) {
        self.0.lock().entry(owner).or_default().insert(topic);
    }

    fn remove(&self, owner: OwnerId, topic: TopicId) {
        let mut owned = self.0.lock();
        if let Some(topics) = owned.get_mut(&owner) {
            topics.remove(&topic);
            if topics.is_empty() {
                owned.remove(&owner);
            }
        }
    }

    fn take(&self, owner: OwnerId) -> HashSet<TopicId> {
        self.0.lock().remove(&owner).unwrap_or_default()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }
}

impl Broker {
    /// Ends what belongs to a connection that is gone: its exclusive queues.
    pub async fn owner_gone(&self, owner: OwnerId) {
        let _admin = self.turn().await;
        let topics = self.inner.owned.take(owner).into_iter();
        let topics = topics.filter_map(|topic| self.topic_by_id(topic));
        let queues = topics.filter_map(|topic| topic.subscription(QUEUE));
        for queue in queues.filter(|queue| queue.exclusive() == Some(owner)) {
            if let Err(error) = self.delete_queue_locked(&queue).await {
                tracing::error!(%error, "an exclusive queue is not deleted");
            }
        }
    }

    /// A queue that goes belongs to no connection any more.
    pub(super) fn disown(&self, topic: &Topic) {
        let queue = topic.subscription(QUEUE);
        if let Some(owner) = queue.and_then(|queue| queue.exclusive()) {
            self.inner.owned.remove(owner, topic.id());
        }
    }
}
