//! Confirm mode: one task a channel that answers publishes in order, many with one `basic.ack`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Instant,
};

use futures::{FutureExt, task::AtomicWaker};
use standpipe_core::{Result, broker::Confirm};
use tokio::{sync::mpsc, task::JoinHandle};

use super::{often::OftenByKind, output::Output};
use crate::codec::method::Method;

/// A store that refuses does so for each publish of each client. One that is full does not keep the
/// failure of another from being told.
static NACKED: OftenByKind = OftenByKind::new();

/// A publish that was taken, or was not.
type Taken = Result<Confirm>;

/// The publishing side of confirm mode.
#[derive(Debug)]
pub(super) struct Confirms {
    /// Bounded by the broker's admission: each of them holds octets in flight.
    sender: mpsc::UnboundedSender<Taken>,
    task: JoinHandle<()>,
    published: u64,
    answered: Arc<Answered>,
}

/// How far the answers have come, and who waits for them: the connection's task.
#[derive(Debug, Default)]
struct Answered {
    tag: AtomicU64,
    waiting: AtomicWaker,
}

impl Confirms {
    /// Starts the task of `channel`.
    pub(super) fn start(channel: u16, output: Arc<Output>) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let answered = Arc::new(Answered::default());
        let task = tokio::spawn(answer(channel, output, receiver, answered.clone()));
        Self {
            sender,
            task,
            published: 0,
            answered,
        }
    }

    /// Ends the task: no confirm follows the end of its channel.
    pub(super) async fn stop(self) {
        self.task.abort();
        // Only its end matters; that it was aborted is known.
        let _ = self.task.await;
    }

    /// The next publish: its tag is its number.
    pub(super) fn published(&mut self, taken: Taken) {
        self.published += 1;
        // Fails only once the task has ended, with the connection.
        let _ = self.sender.send(taken);
    }

    /// Ready once each publish is answered.
    pub(super) fn poll_answered(&self, context: &Context<'_>) -> Poll<()> {
        // First the waker: an answer between the two would else wake nobody.
        self.answered.waiting.register(context.waker());
        if self.answered.tag.load(Ordering::Acquire) < self.published {
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

async fn answer(
    channel: u16,
    output: Arc<Output>,
    mut taken: mpsc::UnboundedReceiver<Taken>,
    answered: Arc<Answered>,
) {
    let mut tag = 0;
    let mut next = taken.recv().await;
    while let Some(first) = next.take() {
        let from = tag + 1;
        let mut refused = resolve(wait(first).await, &mut tag);
        // Whatever else is done by now shares the answer.
        while !refused {
            let Ok(other) = taken.try_recv() else {
                break;
            };
            match ready(other) {
                Ok(result) => refused = resolve(result, &mut tag),
                Err(pending) => {
                    next = Some(pending);
                    break;
                }
            }
        }
        send(&output, channel, from, tag, refused);
        answered.tag.store(tag, Ordering::Release);
        answered.waiting.wake();
        if next.is_none() {
            next = taken.recv().await;
        }
    }
}

async fn wait(taken: Taken) -> Result<()> {
    taken?.wait().await
}

/// The result where it is there, else the promise back.
fn ready(taken: Taken) -> Result<Result<()>, Taken> {
    match taken {
        Err(error) => Ok(Err(error)),
        Ok(mut confirm) => (&mut confirm).now_or_never().ok_or(Ok(confirm)),
    }
}

/// Counts one more; `true` where it is to be nacked.
fn resolve(result: Result<()>, tag: &mut u64) -> bool {
    *tag += 1;
    result
        .inspect_err(|error| {
            if let Some(count) = NACKED.happened(error.kind(), Instant::now()) {
                tracing::warn!(%error, count, "publishes are nacked");
            }
        })
        .is_err()
}

/// Acks from `first` up to `last`, or up to before it and nacks `last`.
fn send(output: &Output, channel: u16, first: u64, last: u64, refused: bool) {
    let acked = if refused { last - 1 } else { last };
    output.write(|waiting| {
        if acked >= first {
            let multiple = acked > first;
            waiting.method(
                channel,
                &Method::BasicAck {
                    delivery_tag: acked,
                    multiple,
                },
            );
        }
        if refused {
            let nack = Method::BasicNack {
                delivery_tag: last,
                multiple: false,
                requeue: false,
            };
            waiting.method(channel, &nack);
        }
    });
}
