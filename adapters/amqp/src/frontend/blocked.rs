//! `connection.blocked` and `connection.unblocked`, an extension of RabbitMQ's: clients that publish
//! are told when the store takes no messages, and when it takes them again.
//!
//! RabbitMQ stops reading from such a connection; here what is published all the same is refused,
//! and acks, which free space, are taken.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use standpipe_core::{Error, broker::Broker, message::Text, store::AppendsRefused};
use tokio_util::task::AbortOnDropHandle;

use super::output::Output;
use crate::codec::method::Method;

/// What one connection is told.
pub(super) struct Blocked {
    output: Arc<Output>,
    /// There until the first publish, where the client understands.
    refused: Option<AppendsRefused>,
    told: Arc<Told>,
    task: Option<AbortOnDropHandle<()>>,
}

/// What the client was told last.
#[derive(Debug, Default)]
struct Told {
    is_blocked: AtomicBool,
    /// It was blocked since somebody asked whether its silence is excused.
    was_blocked: AtomicBool,
}

impl Blocked {
    /// `capable` says whether the client announced that it understands.
    pub(super) fn new(broker: &Broker, output: Arc<Output>, capable: bool) -> Self {
        Self {
            output,
            refused: capable.then(|| broker.appends_refused()),
            told: Arc::default(),
            task: None,
        }
    }

    /// The client publishes. At the first time it is told how things are, before any answer to
    /// that publish, and from then on when that changes. Beside the connection's own task, which
    /// may be waiting for room for a publish meanwhile.
    pub(super) fn publishes(&mut self) {
        if let Some(mut refused) = self.refused.take() {
            self.told.tell(&self.output, refused.now());
            let telling = keep_telling(refused, self.output.clone(), self.told.clone());
            self.task = Some(AbortOnDropHandle::new(tokio::spawn(telling)));
        }
    }

    /// Whether a client that sends nothing, not even heartbeats, may do so: blocked clients stop
    /// writing altogether, lapin for one, and RabbitMQ does not expect heartbeats of them either.
    pub(super) fn excuses_silence(&self) -> bool {
        let is_blocked = self.told.is_blocked.load(Ordering::Relaxed);
        self.told.was_blocked.swap(is_blocked, Ordering::Relaxed) || is_blocked
    }

    /// Nothing more is told: no frame may follow the connection's end.
    pub(super) async fn stop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            // Only its end matters; that it was aborted is known.
            let _ = task.await;
        }
    }
}

impl Told {
    fn tell(&self, output: &Output, why: Option<Error>) {
        let was_blocked = self.is_blocked.swap(why.is_some(), Ordering::Relaxed);
        match why {
            Some(error) if !was_blocked => {
                self.was_blocked.store(true, Ordering::Relaxed);
                let reason = Text::from(error.to_string());
                output.method(0, &Method::ConnectionBlocked { reason });
            }
            None if was_blocked => output.method(0, &Method::ConnectionUnblocked {}),
            _ => {}
        }
    }
}

async fn keep_telling(mut refused: AppendsRefused, output: Arc<Output>, told: Arc<Told>) {
    loop {
        refused.changed().await;
        output.room_for_replies().await;
        told.tell(&output, refused.now());
    }
}
