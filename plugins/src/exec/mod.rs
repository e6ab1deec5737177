//! Any program on stdin and stdout as a transform.
//!
//! [`Exec`] is the transform; the worker feeds the child and reads from it; the ledger (pure)
//! knows what was given, what came back and what is done; the child is the process itself.

mod child;
mod ledger;
mod lines;
mod worker;

use async_trait::async_trait;
use parking_lot::Mutex;
use standpipe_core::{
    driver::{Outcome, Transform},
    error::{Error, ErrorKind, Result},
    message::Message,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use crate::Settings;

/// What a child reads and writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// NDJSON envelopes with a string `seq`, which the output lines carry. Order is kept, so a
    /// message is done when a line of a later one, or the end, is seen: it may be dropped, or split
    /// into at most [`Settings::child_messages`]. A line without a known `seq` stops the route.
    Envelopes,
    /// Payloads, strictly one line out for each line in. A tombstone, which has no payload, passes
    /// as it is; a payload with a line break fails. A line too many stops the route as soon as it is
    /// seen, which may be after the lines before it were taken for answers.
    Lines,
}

/// Pipes messages through a shell command (`sh -c`), always several at a time.
///
/// A filter may buffer its output: when nothing has come back for [`Settings::quiet`] with
/// messages outstanding, its stdin is closed, its output read to the end, and a fresh one
/// started; only then are its last messages done. Its stderr goes to the log. A filter that fails,
/// or ends before its input does, stops the route.
#[derive(Debug)]
pub struct Exec {
    command: String,
    framing: Framing,
    settings: Settings,
    worker: Mutex<Worker>,
}

#[derive(Debug)]
enum Worker {
    Waiting,
    Running(mpsc::Sender<Batch>, JoinHandle<Result<()>>),
    Closed,
}

/// Messages, and where their outcomes go.
struct Batch {
    messages: Vec<Message>,
    reply: oneshot::Sender<Result<Vec<Outcome>>>,
}

impl Exec {
    /// A transform for a command, which is started with the first message.
    pub fn new(command: &str, framing: Framing, settings: Settings) -> Self {
        Self {
            command: command.to_owned(),
            framing,
            settings,
            worker: Mutex::new(Worker::Waiting),
        }
    }

    fn queue(&self) -> Result<mpsc::Sender<Batch>> {
        let mut worker = self.worker.lock();
        if let Worker::Waiting = *worker {
            let (queue, batches) = mpsc::channel(1);
            let work = worker::work(self.command.clone(), self.framing, self.settings, batches);
            *worker = Worker::Running(queue, tokio::spawn(work));
        }
        match &*worker {
            Worker::Running(queue, _) => Ok(queue.clone()),
            _ => Err(self.closed()),
        }
    }

    fn closed(&self) -> Error {
        let message = format!("`{}` was ended", self.command);
        Error::new(ErrorKind::Closed, "exec", message)
    }
}

#[async_trait]
impl Transform for Exec {
    async fn apply(&self, messages: Vec<Message>) -> Result<Vec<Outcome>> {
        let (reply, outcomes) = oneshot::channel();
        let sent = self.queue()?.send(Batch { messages, reply }).await;
        sent.map_err(|_| self.closed())?;
        outcomes.await.map_err(|_| self.closed())?
    }

    async fn close(&self) -> Result<()> {
        let worker = std::mem::replace(&mut *self.worker.lock(), Worker::Closed);
        let Worker::Running(queue, running) = worker else {
            return Ok(());
        };
        drop(queue);
        running.await.unwrap_or_else(|_| Err(self.closed()))
    }
}

impl Drop for Exec {
    fn drop(&mut self) {
        if let Worker::Running(_, running) = &*self.worker.lock() {
            running.abort();
        }
    }
}

#[cfg(test)]
mod tests;
