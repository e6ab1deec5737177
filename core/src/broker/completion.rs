//! What follows once a commit is durable: messages become visible, producers get their confirms.
//!
//! One task a level waits for commits in their order; what a failed write or sync covers fails, and
//! nothing of it becomes visible before a later try of the store has worked.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use futures::FutureExt;
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::timeout,
};

use super::{Admission, Subscription, Topic};
use crate::{
    error::{Error, Result},
    id::{Offset, PartitionId},
    store::{CommitSeq, Durability, Store},
};

/// How long entries that nobody waits for may stay unsynced, and so unseen by positional readers; those
/// that somebody asks for stay no longer.
const LAZY: Duration = Duration::from_millis(5);

/// Between two looks at a store that does not get its writes done.
const AGAIN: Duration = Duration::from_millis(100);

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
    hurry: Arc<Notify>,
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
        let hurry = Arc::new(Notify::new());
        let start = |level, lazily: Option<Arc<Notify>>| {
            let (sender, receiver) = mpsc::unbounded_channel();
            tokio::spawn(run(store.clone(), level, lazily, receiver));
            sender
        };
        Self {
            os: start(Durability::Os, None),
            disk: start(Durability::Disk, None),
            lazy: start(Durability::Disk, Some(hurry.clone())),
            hurry,
        }
    }

    /// Somebody waits for what is due lazily.
    pub(super) fn hurry(&self) {
        self.hurry.notify_one();
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
    /// It is durable.
    pub(super) fn finish(self) {
        self.effects.into_iter().for_each(Effect::apply);
        if let Some(confirm) = self.confirm {
            let _ = confirm.send(Ok(()));
        }
        drop(self.admission);
    }

    /// Its write did not work, and may yet: whoever waits is told, and nothing has come about.
    fn refuse(&mut self, error: &Error) {
        if let Some(confirm) = self.confirm.take() {
            let _ = confirm.send(Err(error.clone()));
        }
        self.admission = Admission::none();
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

/// What a failed write covers stays in its turn: the store tries again, and what it has in the end is to
/// be seen, whatever was told before.
async fn run(
    store: Arc<dyn Store>,
    level: Durability,
    lazily: Option<Arc<Notify>>,
    mut queue: mpsc::UnboundedReceiver<Completion>,
) {
    let (mut batch, mut waiting) = (Vec::new(), VecDeque::new());
    while queue.recv_many(&mut batch, 4096).await > 0 {
        waiting.extend(batch.drain(..));
        if let Some(hurry) = &lazily {
            let _ = timeout(LAZY, hurry.notified()).await;
            waiting.extend(std::iter::from_fn(|| queue.try_recv().ok()));
        }
        while let Some(Completion { seq, .. }) = waiting.front() {
            let Err(error) = store.durable(*seq, level).await else {
                waiting.pop_front().into_iter().for_each(Completion::finish);
                continue;
            };
            waiting.extend(std::iter::from_fn(|| queue.try_recv().ok()));
            waiting.iter_mut().for_each(|each| each.refuse(&error));
            if queue.is_closed() || store.failed().now_or_never().is_some() {
                return;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}
