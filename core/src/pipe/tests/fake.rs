//! Ends in memory that fail on demand and remember everything.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{
    driver::{Consumer, Incoming, Lane, Producer, ReceiptToken, ReceiveLimit, Settlement, Settler},
    error::{Error, ErrorKind, Result},
    message::Message,
    pipe::{Destination, Source},
};

/// Messages with a number as payload, dealt out to lanes.
pub(super) fn numbered(count: u64, lanes: u64) -> Vec<Incoming> {
    let incoming = |number: u64| Incoming {
        message: Message::new(number.to_be_bytes().to_vec()),
        receipt: ReceiptToken {
            lane: Lane(number % lanes),
            number,
        },
        attempts: 0,
    };
    (0..count).map(incoming).collect()
}

pub(super) fn number(message: &Message) -> u64 {
    let payload = message.payload.as_ref().expect("it is numbered");
    u64::from_be_bytes(payload.as_ref().try_into().expect("it is numbered"))
}

#[derive(Clone)]
pub(super) struct FakeSource(Arc<SourceState>);

struct SourceState {
    waiting: Mutex<VecDeque<Incoming>>,
    leased: Mutex<BTreeMap<u64, Incoming>>,
    settled: Mutex<BTreeMap<u64, Settlement>>,
    given_back: Mutex<Vec<u64>>,
    acks: watch::Sender<usize>,
    opened: AtomicUsize,
    disconnect_after: Mutex<Option<usize>>,
    cut: Mutex<Error>,
    end: Mutex<EndOf>,
    destination: Mutex<Option<FakeDestination>>,
}

#[derive(Clone, Copy, PartialEq)]
enum EndOf {
    Messages,
    Settlements,
    Never,
}

impl FakeSource {
    pub(super) fn new(messages: Vec<Incoming>) -> Self {
        Self(Arc::new(SourceState {
            waiting: Mutex::new(messages.into()),
            leased: Mutex::default(),
            settled: Mutex::default(),
            given_back: Mutex::default(),
            acks: watch::Sender::default(),
            opened: AtomicUsize::default(),
            disconnect_after: Mutex::default(),
            cut: Mutex::new(Error::new(ErrorKind::Disconnected, "receive", "cut")),
            end: Mutex::new(EndOf::Messages),
            destination: Mutex::default(),
        }))
    }

    pub(super) fn ends_only_when_settled(self) -> Self {
        *self.0.end.lock() = EndOf::Settlements;
        self
    }

    pub(super) fn never_ends(self) -> Self {
        *self.0.end.lock() = EndOf::Never;
        self
    }

    pub(super) fn disconnects_after(self, messages: usize) -> Self {
        *self.0.disconnect_after.lock() = Some(messages);
        self
    }

    pub(super) fn fails_after(self, messages: usize) -> Self {
        let message = format!("line {} is no envelope", messages + 1);
        *self.0.cut.lock() = Error::new(ErrorKind::Invalid, "receive", message);
        self.disconnects_after(messages)
    }

    /// Checks at each ack that the message has arrived there.
    pub(super) fn settles_only_what(&self, destination: &FakeDestination) {
        *self.0.destination.lock() = Some(destination.clone());
    }

    pub(super) fn acked(&self) -> Vec<u64> {
        let settled = self.0.settled.lock();
        let acks = settled.iter().filter(|(_, s)| **s == Settlement::Ack);
        acks.map(|(number, _)| *number).collect()
    }

    pub(super) fn settlement(&self, number: u64) -> Option<Settlement> {
        self.0.settled.lock().get(&number).cloned()
    }

    pub(super) fn given_back(&self) -> Vec<u64> {
        self.0.given_back.lock().clone()
    }

    pub(super) fn opened(&self) -> usize {
        self.0.opened.load(Ordering::SeqCst)
    }

    pub(super) async fn wait_for_acks(&self, count: usize) {
        let mut acks = self.0.acks.subscribe();
        acks.wait_for(|acks| *acks >= count).await.unwrap();
    }

    /// What was leased waits again, at its place.
    fn requeue(&self) -> Vec<u64> {
        let leased = std::mem::take(&mut *self.0.leased.lock());
        let numbers = leased.keys().copied().collect();
        let mut waiting = self.0.waiting.lock();
        for mut incoming in leased.into_values().rev() {
            incoming.attempts += 1;
            waiting.push_front(incoming);
        }
        numbers
    }
}

#[async_trait]
impl Source for FakeSource {
    async fn open(&self) -> Result<(Box<dyn Consumer>, Box<dyn Settler>)> {
        self.0.opened.fetch_add(1, Ordering::SeqCst);
        Ok((Box::new(self.clone()), Box::new(self.clone())))
    }
}

#[async_trait]
impl Consumer for FakeSource {
    async fn receive(&mut self, limit: ReceiveLimit) -> Result<Option<Vec<Incoming>>> {
        if let Some(left) = &mut *self.0.disconnect_after.lock()
            && *left == 0
        {
            *left = usize::MAX;
            let error = self.0.cut.lock().clone();
            if error.kind() == ErrorKind::Disconnected {
                self.requeue();
            }
            return Err(error);
        }
        let mut batch = Vec::new();
        let mut bytes = 0;
        while batch.len() < limit.messages.get().min(100) && bytes < limit.bytes {
            let Some(incoming) = self.0.waiting.lock().pop_front() else {
                break;
            };
            bytes += incoming.message.size();
            self.0
                .leased
                .lock()
                .insert(incoming.receipt.number, incoming.clone());
            batch.push(incoming);
        }
        if let Some(left) = &mut *self.0.disconnect_after.lock() {
            *left = left.saturating_sub(batch.len());
        }
        if !batch.is_empty() {
            return Ok(Some(batch));
        }
        let mut acks = self.0.acks.subscribe();
        loop {
            let end = *self.0.end.lock();
            let settled = self.0.leased.lock().is_empty();
            match end {
                EndOf::Messages => return Ok(None),
                EndOf::Settlements if settled => return Ok(None),
                _ => acks.changed().await.unwrap(),
            }
        }
    }

    async fn close(&mut self) -> Result<()> {
        *self.0.given_back.lock() = self.requeue();
        Ok(())
    }
}

#[async_trait]
impl Settler for FakeSource {
    async fn settle(&self, settlements: Vec<(ReceiptToken, Settlement)>) -> Result<()> {
        for (receipt, settlement) in settlements {
            if let Some(destination) = &*self.0.destination.lock() {
                destination.must_have(receipt.number);
            }
            if self.0.leased.lock().remove(&receipt.number).is_none() {
                return Err(Error::new(ErrorKind::Disconnected, "settle", "not leased"));
            }
            let before = self.0.settled.lock().insert(receipt.number, settlement);
            assert!(before.is_none(), "{} is settled twice", receipt.number);
        }
        self.0.acks.send_replace(self.acked().len());
        Ok(())
    }
}

type Judge = dyn Fn(u64, u32) -> Result<()> + Send + Sync;

#[derive(Clone)]
pub(super) struct FakeDestination {
    judge: Arc<Judge>,
    state: Arc<DestinationState>,
    stops_at_failure: bool,
    applies_unconfirmed: bool,
    hangs: bool,
    cannot_be_opened: bool,
}

#[derive(Default)]
struct DestinationState {
    arrived: watch::Sender<Vec<u64>>,
    messages: Mutex<Vec<Message>>,
    attempts: Mutex<HashMap<u64, u32>>,
    opened: AtomicUsize,
    hanging: watch::Sender<bool>,
}

impl FakeDestination {
    /// `judge` is asked about each message's number and how often it was tried.
    pub(super) fn new(judge: impl Fn(u64, u32) -> Result<()> + Send + Sync + 'static) -> Self {
        Self {
            judge: Arc::new(judge),
            state: Arc::default(),
            stops_at_failure: false,
            applies_unconfirmed: false,
            hangs: false,
            cannot_be_opened: false,
        }
    }

    /// What comes behind a failure in its batch fails too.
    pub(super) fn stops_at_failure(mut self) -> Self {
        self.stops_at_failure = true;
        self
    }

    pub(super) fn applies_what_it_does_not_confirm(mut self) -> Self {
        self.applies_unconfirmed = true;
        self
    }

    pub(super) fn hangs(mut self) -> Self {
        self.hangs = true;
        self
    }

    pub(super) fn cannot_be_opened(mut self) -> Self {
        self.cannot_be_opened = true;
        self
    }

    pub(super) fn arrived(&self) -> Vec<u64> {
        self.state.arrived.borrow().clone()
    }

    pub(super) fn messages(&self) -> Vec<Message> {
        self.state.messages.lock().clone()
    }

    pub(super) fn opened(&self) -> usize {
        self.state.opened.load(Ordering::SeqCst)
    }

    pub(super) async fn wait_for(&self, what: impl FnMut(&Vec<u64>) -> bool) {
        let mut arrived = self.state.arrived.subscribe();
        arrived.wait_for(what).await.unwrap();
    }

    pub(super) async fn wait_until_it_hangs(&self) {
        let mut hanging = self.state.hanging.subscribe();
        hanging.wait_for(|hanging| *hanging).await.unwrap();
    }

    /// Fails the test unless the message arrived, or is one that the tests' transform drops.
    fn must_have(&self, number: u64) {
        let arrived = self.state.arrived.borrow().contains(&number);
        assert!(
            arrived || number.is_multiple_of(3),
            "{number} is settled and never arrived"
        );
    }
}

#[async_trait]
impl Destination for FakeDestination {
    async fn open(&self) -> Result<Box<dyn Producer>> {
        if self.cannot_be_opened {
            return Err(Error::new(
                ErrorKind::Disconnected,
                "open",
                "nobody answers",
            ));
        }
        self.state.opened.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl Producer for FakeDestination {
    async fn send(&mut self, batch: Vec<Message>) -> Vec<Result<()>> {
        if self.hangs {
            self.state.hanging.send_replace(true);
            std::future::pending::<()>().await;
        }
        let mut failed: Option<Error> = None;
        let mut results = Vec::new();
        for message in batch {
            let number = number(&message);
            if let Some(error) = failed.as_ref().filter(|_| self.stops_at_failure) {
                results.push(Err(error.clone()));
                continue;
            }
            let attempt = *self
                .state
                .attempts
                .lock()
                .entry(number)
                .and_modify(|a| *a += 1)
                .or_insert(1);
            let result = (self.judge)(number, attempt);
            if result.is_ok() || self.applies_unconfirmed {
                self.state
                    .arrived
                    .send_modify(|arrived| arrived.push(number));
                self.state.messages.lock().push(message);
            }
            failed = failed.or(result.clone().err());
            results.push(result);
        }
        results
    }

    async fn close(&mut self) -> Result<()> {
        Ok(())
    }
}
