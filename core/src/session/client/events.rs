//! What arrived, between the adapter's reader and whoever waits for it.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use super::{
    super::{CreditGrant, Delivered, Event, Open, OpenMode, Request},
    disconnected, end_of_stream, from_remote,
    leases::{Lease, Leases},
    window::Window,
};
use crate::{
    dispatcher::Receipt,
    driver::{Incoming, Lane, ReceiptToken, Settlement},
    error::{Error, ErrorKind, Result},
};

/// Extensions in one request.
const EXTENSIONS: usize = 1024;

/// What came of a request: what failed of it, each for its own reason, or why all of it did.
pub(super) type Answer = Result<Vec<(Receipt, Error)>>;

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
    /// Empty in positional mode.
    leases: Leases,
    answers: HashMap<u64, oneshot::Sender<Answer>>,
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
            Event::Settled { sequence, failures } => state.settled(sequence, failures),
            Event::Sought { sequence, result } => {
                if result.is_ok() {
                    state.forget_queue();
                }
                state.answer(sequence, result.map(|()| Vec::new()));
            }
            Event::Committed { sequence, result } => {
                state.answer(sequence, result.map(|()| Vec::new()));
            }
            Event::Drained => state.drained = true,
        }
        drop(state);
        self.shared.changed.notify_one();
    }

    /// The connection ended because of `error`. Only the first is kept.
    pub fn closed(&self, error: Error) {
        self.shared.close(end_of_stream(error));
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
                leases: Leases::default(),
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
        let held = state.queue.len().max(state.leases.count()) as u64;
        let held_bytes = state.queued_bytes;
        state.window.grant(held, held_bytes)
    }

    /// A number for a request, and where its answer comes.
    pub(super) fn ask(&self) -> Result<(u64, oneshot::Receiver<Answer>)> {
        let mut state = self.state.lock();
        if let Some(error) = &state.end {
            return Err(error.clone());
        }
        let (sender, receiver) = oneshot::channel();
        let sequence = state.sequence();
        state.answers.insert(sequence, sender);
        Ok((sequence, receiver))
    }

    /// Requests that extend all that is leased; their answers only tell which leases have ended.
    /// `None` once the stream has ended.
    pub(super) fn extensions(&self, by: Duration) -> Option<Vec<Request>> {
        let mut state = self.state.lock();
        if state.end.is_some() {
            return None;
        }
        let receipts: Vec<_> = state.leases.receipts().collect();
        let requests = receipts.chunks(EXTENSIONS).map(|receipts| Request::Settle {
            sequence: state.sequence(),
            settlements: receipts
                .iter()
                .map(|receipt| (*receipt, Settlement::Extend { by }))
                .collect(),
        });
        Some(requests.collect())
    }

    pub(super) fn lease(&self, token: ReceiptToken) -> Option<Lease> {
        self.state.lock().leases.get(token)
    }

    /// Deliveries that the caller is through with, whatever became of them.
    pub(super) fn settled(&self, tokens: &[ReceiptToken]) {
        let mut state = self.state.lock();
        for token in tokens {
            state.leases.settled(*token);
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
        if let Some(leased) = delivered.receipt {
            self.leases.add(receipt, leased);
        }
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

    fn sequence(&mut self) -> u64 {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        sequence
    }

    fn settled(&mut self, sequence: u64, failures: Vec<(Receipt, Error)>) {
        for (receipt, error) in &failures {
            if error.kind() == ErrorKind::NotFound {
                self.leases.end(*receipt);
            }
        }
        self.answer(sequence, Ok(failures));
    }

    fn answer(&mut self, sequence: u64, answer: Answer) {
        if let Some(waiting) = self.answers.remove(&sequence) {
            let _ = waiting.send(answer.map_err(from_remote));
        }
    }

    fn forget_queue(&mut self) {
        self.queue.clear();
        self.queued_bytes = 0;
    }
}
