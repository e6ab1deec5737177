//! What arrived, between the adapter's reader and whoever waits for it.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use super::{
    super::{CreditGrant, Delivered, Event, Open, OpenMode},
    disconnected, from_remote,
    window::Window,
};
use crate::{
    dispatcher::Receipt,
    driver::{Incoming, Lane, ReceiptToken},
    error::{Error, Result},
};

/// Where the adapter puts what arrives. Never waits: credit bounds what can be there.
#[derive(Debug)]
pub struct EventSink {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) mode: OpenMode,
    pub(super) changed: Notify,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    queue: VecDeque<Incoming>,
    queued_bytes: u64,
    window: Window,
    /// Receipts of what is leased to this client; empty in positional mode.
    leased: HashMap<ReceiptToken, Receipt>,
    answers: HashMap<u64, oneshot::Sender<Result<()>>>,
    next_sequence: u64,
    drained: bool,
    end: Option<Error>,
}

/// What a consumer finds.
pub(super) enum Found {
    Messages(Vec<Incoming>),
    Drained,
    Nothing,
}

impl EventSink {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Takes one event.
    pub fn event(&self, event: Event) {
        let mut state = self.shared.state.lock();
        match event {
            Event::Opened(_) => {}
            Event::Messages(messages) => {
                for delivered in messages {
                    state.arrived(delivered);
                }
            }
            Event::Settled { sequence, failures } => {
                let failure = failures.into_iter().next().map(|(_, error)| error);
                state.answer(sequence, failure.map_or(Ok(()), Err));
            }
            Event::Sought { sequence, result } => {
                if result.is_ok() {
                    state.forget_queue();
                }
                state.answer(sequence, result);
            }
            Event::Committed { sequence, result } => state.answer(sequence, result),
            Event::Drained => state.drained = true,
        }
        drop(state);
        self.shared.changed.notify_one();
    }

    /// The connection ended because of `error`. Only the first is kept.
    pub fn closed(&self, error: Error) {
        self.shared.close(from_remote(error));
    }
}

impl Drop for EventSink {
    fn drop(&mut self) {
        self.shared.close(disconnected("receive"));
    }
}

impl Shared {
    pub(super) fn new(open: &Open, window: u32) -> Self {
        Self {
            mode: open.mode,
            changed: Notify::new(),
            state: Mutex::new(State {
                queue: VecDeque::new(),
                queued_bytes: 0,
                window: Window::new(window),
                leased: HashMap::new(),
                answers: HashMap::new(),
                next_sequence: 0,
                drained: false,
                end: None,
            }),
        }
    }

    /// Messages of up to `bytes` octets, the first of any size.
    pub(super) fn take(&self, messages: usize, bytes: usize) -> Result<Found> {
        let mut state = self.state.lock();
        let taken = state.take(messages, bytes);
        if !taken.is_empty() {
            return Ok(Found::Messages(taken));
        }
        match (&state.end, state.drained) {
            (_, true) => Ok(Found::Drained),
            (Some(error), false) => Err(error.clone()),
            (None, false) => Ok(Found::Nothing),
        }
    }

    /// The credit to grant now, which counts as granted from here on.
    pub(super) fn grant(&self) -> Option<CreditGrant> {
        let mut state = self.state.lock();
        let held = state.queue.len().max(state.leased.len()) as u64;
        let held_bytes = state.queued_bytes;
        state.window.grant(held, held_bytes)
    }

    /// A number for a request, and where its answer comes.
    pub(super) fn ask(&self) -> Result<(u64, oneshot::Receiver<Result<()>>)> {
        let mut state = self.state.lock();
        if let Some(error) = &state.end {
            return Err(error.clone());
        }
        let (sender, receiver) = oneshot::channel();
        let sequence = state.next_sequence;
        state.next_sequence += 1;
        state.answers.insert(sequence, sender);
        Ok((sequence, receiver))
    }

    pub(super) fn receipt(&self, token: ReceiptToken) -> Option<Receipt> {
        self.state.lock().leased.get(&token).copied()
    }

    /// Leases that have ended, whatever became of them.
    pub(super) fn ended(&self, tokens: &[ReceiptToken]) {
        let mut state = self.state.lock();
        for token in tokens {
            state.leased.remove(token);
        }
        drop(state);
        self.changed.notify_one();
    }

    pub(super) fn close(&self, error: Error) {
        let mut state = self.state.lock();
        let answers = std::mem::take(&mut state.answers);
        let error = state.end.get_or_insert(error).clone();
        drop(state);
        for answer in answers.into_values() {
            let _ = answer.send(Err(error.clone()));
        }
        self.changed.notify_one();
    }
}

impl State {
    fn arrived(&mut self, delivered: Delivered) {
        let message = delivered.message;
        let annotations = &message.annotations;
        let place = annotations.offset.unwrap_or_default();
        let lane = Lane(annotations.partition.unwrap_or_default().0.into());
        let attempts = annotations.attempts.unwrap_or(0);
        let receipt = ReceiptToken {
            lane,
            number: delivered.receipt.map_or(place.0, |receipt| receipt.lease),
        };
        self.window.arrived(message.size());
        self.queued_bytes += message.size() as u64;
        self.leased
            .extend(delivered.receipt.map(|leased| (receipt, leased)));
        self.queue.push_back(Incoming {
            message,
            receipt,
            attempts,
        });
    }

    fn take(&mut self, messages: usize, bytes: usize) -> Vec<Incoming> {
        let mut taken = Vec::new();
        let mut taken_bytes = 0usize;
        while taken.len() < messages {
            let Some(next) = self.queue.front() else {
                break;
            };
            let size = next.message.size();
            taken_bytes = taken_bytes.saturating_add(size);
            if !taken.is_empty() && taken_bytes > bytes {
                break;
            }
            self.queued_bytes -= size as u64;
            taken.extend(self.queue.pop_front());
        }
        taken
    }

    fn answer(&mut self, sequence: u64, result: Result<()>) {
        if let Some(answer) = self.answers.remove(&sequence) {
            let _ = answer.send(result.map_err(from_remote));
        }
    }

    fn forget_queue(&mut self) {
        self.queue.clear();
        self.queued_bytes = 0;
    }
}
