//! What follows once a commit is durable: messages become visible, producers get their confirms.
//!
//! One task a level waits for commits in their order; what a failed write or sync covers fails,
//! and nothing of it becomes visible.

use std::{sync::Arc, time::Duration};

use tokio::sync::{mpsc, oneshot};

use super::{Admission, Subscription, Topic};
use crate::{
    error::Result,
    id::{Offset, PartitionId},
    store::{CommitSeq, Durability, Store},
};

/// How long entries that nobody waits for may stay unsynced, and so unseen by positional readers.
const LAZY: Duration = Duration::from_millis(5);

/// What becomes true with a commit.
pub(super) enum Effect {
    /// Lease subscriptions may be served up to `end`.
    Leasable(Arc<Topic>, PartitionId, Offset),
    /// All readers may see up to `end`.
    Stable(Arc<Topic>, PartitionId, Offset),
    /// Deliveries may go up to a new horizon.
    Reserved(Arc<Subscription>, PartitionId, Offset),
}

pub(super) struct Completion {
    pub(super) seq: CommitSeq,
    pub(super) effects: Vec<Effect>,
    pub(super) confirm: Option<oneshot::Sender<Result<()>>>,
    pub(super) admission: Admission,
}

/// Where each level's completions queue up.
pub(super) struct Completions {
    os: mpsc::UnboundedSender<Completion>,
    disk: mpsc::UnboundedSender<Completion>,
    lazy: mpsc::UnboundedSender<Completion>,
}

/// When a completion is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// As soon as the operating system has it.
    Os,
    /// As soon as the disk has it, and the store is to hurry.
    Disk,
    /// With the disk having it, soon.
    Lazy,
}

impl Completions {
    /// Starts the tasks; they end when this is dropped.
    pub(super) fn start(store: &Arc<dyn Store>) -> Self {
        let start = |level, pause: Option<Duration>| {
            let (sender, receiver) = mpsc::unbounded_channel();
            tokio::spawn(run(store.clone(), level, pause, receiver));
            sender
        };
        Self {
            os: start(Durability::Os, None),
            disk: start(Durability::Disk, None),
            lazy: start(Durability::Disk, Some(LAZY)),
        }
    }

    pub(super) fn push(&self, due: Due, completion: Completion) {
        let queue = match due {
            Due::Os => &self.os,
            Due::Disk => &self.disk,
            Due::Lazy => &self.lazy,
        };
        // A closed queue is a runtime that is going down: confirms fail as their senders drop.
        let _ = queue.send(completion);
    }
}

impl Completion {
    pub(super) fn finish(self, result: Result<()>) {
        if result.is_ok() {
            self.effects.into_iter().for_each(Effect::apply);
        }
        if let Some(confirm) = self.confirm {
            let _ = confirm.send(result);
        }
        drop(self.admission);
    }
}

impl Effect {
    fn apply(self) {
        match self {
            Self::Leasable(topic, partition, end) => topic.lease_up_to(partition, end),
            Self::Stable(topic, partition, end) => topic.stabilize(partition, end),
            Self::Reserved(subscription, partition, horizon) => {
                subscription.reserved(partition, horizon);
            }
        }
    }
}

async fn run(
    store: Arc<dyn Store>,
    level: Durability,
    pause: Option<Duration>,
    mut queue: mpsc::UnboundedReceiver<Completion>,
) {
    let mut batch = Vec::new();
    while queue.recv_many(&mut batch, 4096).await > 0 {
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
        }
        for completion in batch.drain(..) {
            let result = store.durable(completion.seq, level).await;
            completion.finish(result);
        }
    }
}
