//! What a pipe owes, as a pure state machine: what is to be sent, held back and settled.
//!
//! Jobs, results and the time come in; batches and settlements come out. A source message is
//! settled only when all that came of it is confirmed, and whatever is sent again keeps the order
//! of its lane.

use std::{
    collections::{HashMap, VecDeque},
    hash::BuildHasher as _,
    sync::Arc,
};

use foldhash::fast::FixedState;
use tokio::time::Instant;

use super::{
    backoff::Backoff,
    counts::Counts,
    job::{Job, Piece},
    lane_queue::{LaneQueues, Output, SourceId},
    settings::{Limits, OnRefused, Order},
};
use crate::{
    driver::{Lane, Outcome, ReceiptToken, Settlement, Settling},
    error::{Error, ErrorKind, Result},
    message::Message,
};

/// Lanes that [`Order::Key`] and [`Order::None`] spread over.
const SPREAD: u64 = 1_024;

/// What does not change while a flow runs.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    pub(super) order: Order,
    pub(super) settling: Settling,
    pub(super) on_refused: OnRefused,
    pub(super) dead_letters: bool,
    pub(super) backoff: Backoff,
    pub(super) limits: Limits,
}

/// A message that can never be sent, on its way to the dead letters.
#[derive(Debug, Clone)]
pub(super) struct DeadLetter {
    pub(super) source: SourceId,
    pub(super) message: Message,
    pub(super) error: Error,
    pub(super) attempts: u32,
}

/// The flow of one session with a source.
pub(super) struct Flow {
    rules: Rules,
    counts: Arc<Counts>,
    next: SourceId,
    sources: HashMap<SourceId, SourceMessage, foldhash::fast::RandomState>,
    queues: LaneQueues,
    in_flight: Vec<Output>,
    pub(super) dead: VecDeque<DeadLetter>,
    /// Lanes of a cumulative source: what is unsettled, in order.
    unsettled: HashMap<Lane, VecDeque<SourceId>>,
    settled: Vec<(ReceiptToken, Settlement)>,
    freed: usize,
    held: usize,
    trouble: Option<Error>,
}

struct SourceMessage {
    receipt: ReceiptToken,
    bytes: usize,
    /// Outputs that are neither confirmed nor refused.
    pending: usize,
    refused: Option<Error>,
    done: bool,
}

impl Flow {
    pub(super) fn new(rules: Rules, counts: Arc<Counts>) -> Self {
        Self {
            rules,
            counts,
            next: 0,
            sources: HashMap::default(),
            queues: LaneQueues::default(),
            in_flight: Vec::new(),
            dead: VecDeque::new(),
            unsettled: HashMap::new(),
            settled: Vec::new(),
            freed: 0,
            held: 0,
            trouble: None,
        }
    }

    /// Takes in source messages and what the transforms made of them.
    ///
    /// # Errors
    /// Why the pipe stops.
    pub(super) fn add(&mut self, job: Job) -> Result<()> {
        job.0
            .into_iter()
            .try_for_each(|piece| self.add_piece(piece))
    }

    fn add_piece(&mut self, piece: Piece) -> Result<()> {
        let source = self.next;
        self.next += 1;
        let lane = piece.receipt.lane;
        if self.rules.settling == Settling::Cumulative {
            self.unsettled.entry(lane).or_default().push_back(source);
        }
        let (messages, failed) = match piece.outcome {
            Outcome::One(message) => (vec![message], None),
            Outcome::Many(messages) => (messages, None),
            Outcome::Drop => (Vec::new(), None),
            Outcome::Failed(error) => (Vec::new(), Some(error)),
        };
        let pending = messages.len() + usize::from(failed.is_some());
        let message = SourceMessage {
            receipt: piece.receipt,
            bytes: piece.bytes,
            pending,
            refused: None,
            done: false,
        };
        self.sources.insert(source, message);
        if let Some(error) = failed {
            return self.refuse(source, piece.original.unwrap_or_default(), error, 1);
        }
        for message in messages {
            let lane = self.lane_of(source, lane, &message);
            let attempts = 0;
            let output = Output {
                source,
                lane,
                message,
                attempts,
            };
            self.queues.push(output);
        }
        if pending == 0 {
            self.counts.dropped.add(1);
            self.finish(source)?;
        }
        Ok(())
    }

    fn lane_of(&self, source: SourceId, lane: Lane, message: &Message) -> u64 {
        match (self.rules.order, &message.key) {
            (Order::Total, _) => 0,
            (Order::Key, Some(key)) => FixedState::default().hash_one(key) % SPREAD,
            (Order::Lane | Order::Key, _) => SPREAD + lane.0,
            (Order::None, _) => source % SPREAD,
        }
    }

    /// The next batch to send, unless one is in flight or nothing is ready.
    pub(super) fn next_batch(&mut self, now: Instant) -> Option<Vec<Message>> {
        if !self.in_flight.is_empty() {
            return None;
        }
        self.queues.wake(now);
        let limits = &self.rules.limits;
        self.in_flight = self.queues.take(limits.batch.get(), limits.bytes);
        let messages = self.in_flight.iter().map(|output| output.message.clone());
        (!self.in_flight.is_empty()).then(|| messages.collect())
    }

    /// Takes in the results of the batch in flight.
    ///
    /// # Errors
    /// Why the pipe stops.
    pub(super) fn results(&mut self, now: Instant, results: Vec<Result<()>>) -> Result<()> {
        let batch = std::mem::take(&mut self.in_flight);
        let mut landed: Vec<(u64, bool, bool)> = Vec::new();
        // The first reason to stop is kept, and what is confirmed behind it counts all the same.
        let (mut failed, mut stop, mut trouble) = (Vec::new(), None, None);
        let mut results = results.into_iter();
        for mut output in batch {
            if landed.last().is_none_or(|(lane, ..)| *lane != output.lane) {
                landed.push((output.lane, false, false));
            }
            let (_, progress, hold) = landed.last_mut().expect("one was just pushed");
            output.attempts += 1;
            let Err(error) = results.next().unwrap_or_else(|| Err(missing())) else {
                *progress = true;
                stop = stop.or(self.sent(&output).err());
                continue;
            };
            if is_of_the_route(error.kind()) {
                stop.get_or_insert(error);
            } else if error.kind().is_retryable() && !self.rules.backoff.exhausted(output.attempts)
            {
                *hold = true;
                self.counts.retried.add(1);
                if error.kind() == ErrorKind::Unknown {
                    self.counts.duplicates.add(1);
                }
                failed.push(output);
                trouble.get_or_insert(error);
            } else {
                *progress = true;
                let refused = self.refuse(output.source, output.message, error, output.attempts);
                stop = stop.or(refused.err());
            }
        }
        self.queues.put_back(failed);
        self.land(now, landed);
        self.trouble = trouble.or(self.trouble.take());
        stop.map_or(Ok(()), Err)
    }

    /// Takes in the last results, empty where there are none, of a flow whose source is gone:
    /// counts what comes again though it was confirmed.
    pub(super) fn source_lost(&mut self, results: Vec<Result<()>>) {
        let batch = std::mem::take(&mut self.in_flight);
        for (output, result) in batch.into_iter().zip(results) {
            match result {
                // What would stop this flow is met again by the next.
                Ok(()) => drop(self.sent(&output)),
                Err(error) if error.kind() == ErrorKind::Unknown => self.counts.duplicates.add(1),
                Err(_) => {}
            }
        }
        let acks = self.settled.iter().filter(|(_, s)| *s == Settlement::Ack);
        // In a cumulative source: confirmed, behind what is not.
        let behind = self.sources.values().filter(|source| source.done);
        self.counts.duplicates.add(acks.count() + behind.count());
    }

    fn land(&mut self, now: Instant, lanes: Vec<(u64, bool, bool)>) {
        for (lane, progress, hold) in lanes {
            if hold {
                let delay = |failures| now + self.rules.backoff.delay(failures);
                self.queues.hold(lane, progress, delay);
            } else {
                self.queues.landed(lane);
            }
        }
    }

    fn sent(&mut self, output: &Output) -> Result<()> {
        self.counts.sent.add(1);
        self.counts.bytes.add(output.message.size());
        self.confirmed(output.source)
    }

    /// A dead letter is confirmed.
    ///
    /// # Errors
    /// Why the pipe stops.
    pub(super) fn dead_letter_confirmed(&mut self, source: SourceId) -> Result<()> {
        self.counts.dead_lettered.add(1);
        self.confirmed(source)
    }

    fn confirmed(&mut self, source: SourceId) -> Result<()> {
        let message = self.sources.get_mut(&source).expect("it has outputs");
        message.pending -= 1;
        if message.pending == 0 {
            self.finish(source)
        } else {
            Ok(())
        }
    }

    /// A message can never be sent.
    fn refuse(
        &mut self,
        source: SourceId,
        message: Message,
        error: Error,
        attempts: u32,
    ) -> Result<()> {
        tracing::warn!(%error, "a message cannot be sent");
        if self.rules.dead_letters {
            let letter = DeadLetter {
                source,
                message,
                error,
                attempts,
            };
            self.dead.push_back(letter);
            return Ok(());
        }
        let cumulative = self.rules.settling == Settling::Cumulative;
        if self.rules.on_refused == OnRefused::Stop || cumulative {
            return Err(stopped(&error, "give the route a dead-letter destination"));
        }
        let entry = self.sources.get_mut(&source).expect("it has outputs");
        entry.refused.get_or_insert(error);
        self.confirmed(source)
    }

    /// All that came of a source message is confirmed or refused.
    fn finish(&mut self, source: SourceId) -> Result<()> {
        if self.rules.settling == Settling::Cumulative {
            return self.finish_in_order(source);
        }
        let message = self
            .sources
            .remove(&source)
            .expect("it is not finished yet");
        self.freed += message.bytes;
        let Some(error) = message.refused else {
            self.settled.push((message.receipt, Settlement::Ack));
            return Ok(());
        };
        if self.rules.on_refused == OnRefused::Reject {
            self.counts.rejected.add(1);
            let settlement = Settlement::reject(error.message());
            self.settled.push((message.receipt, settlement));
            return Ok(());
        }
        self.counts.held.add(1);
        self.held += 1;
        if self.held > self.rules.limits.held {
            let fix = format!(
                "{} messages are held; settle or dead-letter them",
                self.held
            );
            return Err(stopped(&error, &fix));
        }
        Ok(())
    }

    fn finish_in_order(&mut self, source: SourceId) -> Result<()> {
        let message = self
            .sources
            .get_mut(&source)
            .expect("it is not finished yet");
        message.done = true;
        let lane = message.receipt.lane;
        let unsettled = self.unsettled.get_mut(&lane).expect("its lane is known");
        while let Some(first) = unsettled.front() {
            if !self.sources[first].done {
                break;
            }
            let message = self.sources.remove(first).expect("it was just looked at");
            self.freed += message.bytes;
            self.settled.push((message.receipt, Settlement::Ack));
            unsettled.pop_front();
        }
        if unsettled.is_empty() {
            self.unsettled.remove(&lane);
        }
        Ok(())
    }

    /// What is to be settled now.
    pub(super) fn take_settlements(&mut self) -> Vec<(ReceiptToken, Settlement)> {
        std::mem::take(&mut self.settled)
    }

    /// Bytes that are no longer held.
    pub(super) fn take_freed(&mut self) -> usize {
        std::mem::take(&mut self.freed)
    }

    /// Whether nothing is owed: all that came in is confirmed, or held for good.
    pub(super) fn is_empty(&self) -> bool {
        self.sources.is_empty() && self.settled.is_empty()
    }

    /// Messages that are kept at the source.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// When to ask for a batch again, where lanes are on hold.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        let idle = self.in_flight.is_empty() && !self.queues.has_ready();
        idle.then(|| self.queues.next_wake()).flatten()
    }

    /// Why lanes are on hold, or are tried again and have made no progress since they failed.
    pub(super) fn trouble(&self) -> Option<&Error> {
        let failing = self.queues.has_held() || self.queues.has_failing();
        self.trouble.as_ref().filter(|_| failing)
    }
}

/// Errors that are about the route and not about one message.
pub(super) fn is_of_the_route(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Denied
            | ErrorKind::NotFound
            | ErrorKind::Closed
            | ErrorKind::Conflict
            | ErrorKind::Corrupt
            | ErrorKind::Exists
    )
}

fn missing() -> Error {
    Error::new(ErrorKind::Unknown, "send", "the destination gave no result")
}

fn stopped(error: &Error, fix: &str) -> Error {
    let message = format!("a message cannot be sent: {error}; {fix}");
    Error::new(ErrorKind::Permanent, "run pipe", message)
}
