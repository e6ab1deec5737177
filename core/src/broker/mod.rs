//! The broker engine: topics, subscriptions and routes over a store, for every protocol at once.
//!
//! The publish path: [`Broker::publish`] routes, takes a place in the log (`publish`), and the
//! completion tasks (`completion`) make it visible and confirm it once it is durable. The deliver
//! path: a subscription's pump (`pump`) asks its dispatcher who gets what, reads the log, and fills
//! each [`Attachment`]'s outbox.

mod admin;
mod admission;
mod append;
mod attachment;
mod catalog;
mod completion;
mod confirm;
mod credit;
mod decoded;
mod delay;
mod delivery;
mod epochs;
mod equivalent;
mod exchange;
mod expiring;
mod expiry;
mod filing;
mod get;
mod group;
mod janitor;
mod keyed;
mod lifecycle;
mod options;
mod owned;
mod partition;
mod persist;
mod place;
mod publish;
mod pump;
mod queue;
mod reader;
mod refile;
mod retention;
mod snapshots;
mod source;
mod spec;
mod subscription;
mod tally;
#[cfg(test)]
mod tests;
mod timekeeper;
mod topic;
mod topics;
mod trim;
mod unreadable;
mod unused;

pub use admission::Admission;
pub use append::{Append, AppendError, Appended};
pub use attachment::{Attach, Attachment};
pub use catalog::stored_topic;
pub use confirm::Confirm;
pub use credit::Credit;
pub use delivery::{Content, Delivery};
pub use group::{GroupOffset, StoredOffset};
pub use options::{Limits, Options};
pub use publish::{LaneId, Publish, Published, Target};
pub use queue::{QueueInfo, QueueSpec};
pub use reader::PositionalReader;
pub use retention::Retention;
pub use spec::{Lifetime, Origin, TopicSpec};
pub use subscription::{Mode, Subscription};
pub use topic::{Topic, TopicBounds};

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::{Mutex, RwLock};
use tally::Tally;
use tokio_util::sync::CancellationToken;

use crate::{
    codec::Codecs,
    dispatcher::OwnerId,
    id::TopicId,
    router::Router,
    store::{Epoch, MemoryStore, Op, Store},
};

/// The name of the queue subscription on a topic.
pub const QUEUE: &str = "queue";

/// The namespace where nothing else is said: AMQP's default virtual host.
pub const DEFAULT_NAMESPACE: &str = "/";

/// A broker; a cheap handle, all clones are one.
#[derive(Clone)]
pub struct Broker {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    store: Arc<dyn Store>,
    memory: Arc<MemoryStore>,
    codecs: Codecs,
    decoded: decoded::Shelf,
    options: Options,
    epoch: Epoch,
    state: RwLock<State>,
    /// Serialises declares and deletes; publishes and deliveries never take it.
    admin: Arc<tokio::sync::Mutex<()>>,
    /// What declares and deletes have done in memory and the store has refused so far.
    owed: Mutex<Vec<Op>>,
    /// Partitions of all topics, and cursors of all subscriptions on them.
    partitions: Tally,
    cursors: Tally,
    owned: owned::Owned,
    /// The turn of a group's commit: its order in the store is that in memory.
    group_commits: Mutex<()>,
    admission: admission::Gate,
    completions: completion::Completions,
    janitor: janitor::Janitor,
    timekeeper: Arc<timekeeper::Timekeeper>,
    alarms: Arc<unused::Alarms>,
    next_owner: AtomicU64,
    producer_ids: Mutex<lifecycle::IdBlock>,
    closing: CancellationToken,
}

/// What exists, by name.
#[derive(Default)]
struct State {
    /// By namespace, then by name: a publish looks up without building a key.
    topics: HashMap<Arc<str>, HashMap<Arc<str>, Arc<Topic>>>,
    by_id: HashMap<TopicId, Arc<Topic>>,
    routers: HashMap<Arc<str>, Router>,
}

impl Broker {
    /// The codecs that deliveries are decoded with.
    pub fn codecs(&self) -> &Codecs {
        &self.inner.codecs
    }

    /// The limits that hold over all protocols.
    pub fn limits(&self) -> &Limits {
        &self.inner.options.limits
    }

    /// Has the store sync what was published below the level `disk` without the pause in which more of it
    /// would gather: somebody waits for it to be visible.
    pub fn hurry(&self) {
        self.inner.completions.hurry();
    }

    /// A new identity for a connection, channel or stream.
    pub fn new_owner(&self) -> OwnerId {
        OwnerId(self.inner.next_owner.fetch_add(1, Ordering::Relaxed))
    }
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker").finish_non_exhaustive()
    }
}
