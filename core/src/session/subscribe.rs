//! The consuming side of a stream.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use futures::{StreamExt as _, future::BoxFuture, stream::FuturesOrdered};
use tokio::{sync::mpsc, time::Interval};

use super::{
    Bounds, CreditGrant, Delivered, Event, Open, Request,
    source::{Source, wrong_mode},
};
use crate::{
    broker::{Broker, DEFAULT_NAMESPACE, Delivery, Topic},
    dispatcher::Receipt,
    driver::{Settlement, StartAt},
    error::Result,
    id::{Offset, PartitionId},
};

/// Events that wait to be taken before no more is read.
const OUTBOX_EVENTS: usize = 4;
/// Requests whose answers wait for the disk before no more are taken.
const ANSWERS: usize = 256;
/// Octets of one event's messages, unless a single one is larger.
const EVENT_BYTES: usize = 256 << 10;
/// How often a drain looks again at what others do.
const DRAIN_TICK: Duration = Duration::from_millis(50);

/// Serves one subscription: `open` first, then `requests`, until the client is done or gone.
///
/// When `requests` ends, a lease subscription ends once all is answered, a positional one once its
/// credit is used up. What is leased goes back when this returns or is dropped.
///
/// # Errors
/// Where it cannot be opened (`Unsupported` for keyed mode, `Conflict` for a group of another
/// mode, `Denied`), and `NotFound` once the topic is deleted.
pub async fn subscribe(
    broker: &Broker,
    open: Open,
    requests: mpsc::Receiver<Request>,
    events: mpsc::Sender<Event>,
) -> Result<()> {
    let topic = broker.ensure_topic(DEFAULT_NAMESPACE, &open.topic).await?;
    let source = Source::open(broker, &topic, &open).await?;
    let bounds = source.bounds(&topic)?;
    let mut session = Session {
        broker: broker.clone(),
        topic,
        source,
        requests,
        asking: true,
        events,
        outbox: VecDeque::from([Event::Opened(bounds.clone())]),
        waiting: VecDeque::new(),
        bytes: None,
        answers: FuturesOrdered::new(),
        drain: open.drain.then_some(bounds),
        tick: tokio::time::interval(DRAIN_TICK),
    };
    session.credit(open.credit);
    session.run().await
}

struct Session {
    broker: Broker,
    topic: Arc<Topic>,
    source: Source,
    requests: mpsc::Receiver<Request>,
    /// Whether requests may still come.
    asking: bool,
    events: mpsc::Sender<Event>,
    outbox: VecDeque<Event>,
    /// Messages that wait for credit in octets.
    waiting: VecDeque<Delivered>,
    bytes: Option<i64>,
    answers: FuturesOrdered<BoxFuture<'static, Event>>,
    drain: Option<Vec<Bounds>>,
    tick: Interval,
}

enum Step {
    Asked(Option<Request>),
    Answered(Event),
    Read(Vec<Delivery>),
    Sent,
    Looked,
    Gone,
}

impl Session {
    async fn run(&mut self) -> Result<()> {
        loop {
            self.fill_outbox();
            self.look_for_the_end();
            if self.is_over() {
                return Ok(());
            }
            match self.step().await? {
                Step::Asked(Some(request)) => self.serve(request).await,
                Step::Asked(None) => self.asking = false,
                Step::Answered(event) => self.outbox.push_back(event),
                Step::Read(deliveries) => self.take(&deliveries),
                Step::Sent | Step::Looked => {}
                Step::Gone => return Ok(()),
            }
        }
    }

    async fn step(&mut self) -> Result<Step> {
        let may_ask = self.asking && self.answers.len() < ANSWERS;
        let may_read = self.has_room() && self.waiting.is_empty();
        tokio::select! {
            permit = self.events.reserve(), if !self.outbox.is_empty() => {
                let (Ok(permit), Some(event)) = (permit, self.outbox.pop_front()) else {
                    return Ok(Step::Gone);
                };
                permit.send(event);
                Ok(Step::Sent)
            }
            request = self.requests.recv(), if may_ask && self.outbox.len() < ANSWERS => {
                Ok(Step::Asked(request))
            }
            Some(event) = self.answers.next(), if !self.answers.is_empty() => {
                Ok(Step::Answered(event))
            }
            read = read(&self.events, &mut self.source), if may_read => read.map(Step::Read),
            () = self.events.closed() => Ok(Step::Gone),
            _ = self.tick.tick(), if self.drain.is_some() => Ok(Step::Looked),
        }
    }

    /// Whether the outbox may take more messages: a client that does not read holds little memory.
    fn has_room(&self) -> bool {
        let octets = self.outbox.iter().map(Event::octets).sum::<usize>();
        self.outbox.len() < OUTBOX_EVENTS && octets < EVENT_BYTES
    }

    fn is_over(&self) -> bool {
        let idle = self.answers.is_empty() && self.outbox.is_empty();
        let spent = match &self.source {
            Source::Lease(_) => true,
            Source::Positional(positional) => positional.credit == 0 && self.waiting.is_empty(),
        };
        !self.asking && idle && spent
    }

    fn credit(&mut self, credit: CreditGrant) {
        if let Some(more) = credit.bytes {
            let more = i64::try_from(more).unwrap_or(i64::MAX);
            self.bytes = Some(self.bytes.unwrap_or(0).saturating_add(more));
        }
        if credit.messages > 0 {
            self.source.grant(credit.messages);
        }
    }

    fn take(&mut self, deliveries: &[Delivery]) {
        for delivery in deliveries {
            let delivered = self.source.convert(&self.broker, delivery);
            self.waiting.extend(delivered);
        }
    }

    /// Moves what the credit in octets allows into the outbox.
    fn fill_outbox(&mut self) {
        while !self.waiting.is_empty() && self.bytes.is_none_or(|left| left > 0) {
            let mut messages = Vec::new();
            let mut size = 0;
            while let Some(next) = self.waiting.front() {
                let bytes = next.message.size();
                let full = !messages.is_empty() && size + bytes > EVENT_BYTES;
                if full || self.bytes.is_some_and(|left| left <= 0) {
                    break;
                }
                size += bytes;
                if let Some(left) = &mut self.bytes {
                    *left = left.saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX));
                }
                messages.extend(self.waiting.pop_front());
            }
            self.outbox.push_back(Event::Messages(messages));
        }
    }

    fn look_for_the_end(&mut self) {
        let ends = self.drain.as_ref().filter(|_| self.waiting.is_empty());
        if ends.is_some_and(|ends| self.source.is_drained(ends)) {
            self.drain = None;
            self.outbox.push_back(Event::Drained);
        }
    }

    async fn serve(&mut self, request: Request) {
        match request {
            Request::Credit(credit) => self.credit(credit),
            Request::Settle {
                sequence,
                settlements,
            } => self.settle(sequence, settlements),
            Request::Seek {
                sequence,
                partition,
                to,
            } => {
                let result = self.seek(partition, to).await;
                self.outbox.push_back(Event::Sought { sequence, result });
            }
            Request::Commit { sequence, offsets } => self.commit(sequence, offsets).await,
        }
    }

    fn settle(&mut self, sequence: u64, settlements: Vec<(Receipt, Settlement)>) {
        let receipts: Vec<_> = settlements.iter().map(|(receipt, _)| *receipt).collect();
        let settled = match &mut self.source {
            Source::Lease(lease) => lease.settle(settlements),
            Source::Positional(_) => Err(wrong_mode(&Request::Settle {
                sequence,
                settlements,
            })),
        };
        self.answers.push_back(Box::pin(async move {
            let kept = match settled {
                Ok((failures, confirm)) => confirm.await.map(|()| failures),
                Err(error) => Err(error),
            };
            let failures = kept.unwrap_or_else(|error| {
                let failures = receipts.into_iter();
                failures.map(|receipt| (receipt, error.clone())).collect()
            });
            Event::Settled { sequence, failures }
        }));
    }

    async fn seek(&mut self, partition: Option<PartitionId>, to: StartAt) -> Result<()> {
        let all = (0..self.topic.partition_count()).map(PartitionId);
        let partitions: Vec<_> = partition.map_or_else(|| all.collect(), |one| vec![one]);
        let Source::Positional(positional) = &mut self.source else {
            return Err(wrong_mode(&Request::Seek {
                sequence: 0,
                partition,
                to,
            }));
        };
        positional.seek(partitions.iter().copied(), to).await?;
        let before = self.waiting.len();
        self.waiting.retain(|delivered| {
            let at = delivered.message.annotations.partition;
            !at.is_some_and(|at| partitions.contains(&at))
        });
        positional.credit += (before - self.waiting.len()) as u64;
        Ok(())
    }

    async fn commit(&mut self, sequence: u64, offsets: Vec<(PartitionId, Offset)>) {
        let places = match &self.source {
            Source::Positional(positional) => {
                positional.places(&self.broker, &self.topic, &offsets)
            }
            Source::Lease(_) => None,
        };
        let confirm = match places {
            Some((group, places)) => {
                let namespace = DEFAULT_NAMESPACE;
                self.broker.group_commit(namespace, &group, &places).await
            }
            None => Err(wrong_mode(&Request::Commit { sequence, offsets })),
        };
        self.answers.push_back(Box::pin(async move {
            let result = match confirm {
                Ok(confirm) => confirm.await,
                Err(error) => Err(error),
            };
            Event::Committed { sequence, result }
        }));
    }
}

/// Reads on once what was read before is on its way: a client that does not read holds little.
async fn read(events: &mpsc::Sender<Event>, source: &mut Source) -> Result<Vec<Delivery>> {
    // Where the client is gone, the session ends by itself.
    let _ = events.reserve().await;
    source.recv().await
}
