//! One session with a source: carries out what the flow asks for, until the source ends.

use std::{future::pending, sync::Arc, time::Duration};

use futures::{
    StreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    budget::Budget,
    dead_letter,
    ends::Opened,
    flow::{DeadLetter, Flow},
    job::Job,
    reader,
    run::Parts,
};
use crate::{
    driver::{Consumer, Incoming, ReceiptToken, Settlement, Settler, Until},
    error::{Error, ErrorKind, Result},
    id::Millis,
    layer::{ProducerService, Results},
};

/// How long a drain that can only end with nothing unsettled waits beside messages on hold.
const IDLE_BESIDE_HELD: Duration = Duration::from_secs(2);

/// How a session ended.
pub(super) enum End {
    /// The source has no more, or the shutdown is done.
    Done,
    /// The connection to the source is gone.
    SourceLost(Error),
    /// It cannot go on.
    Failed(Error),
}

type ReaderEnd = (Box<dyn Consumer>, Result<()>);
type Settlements = Vec<(ReceiptToken, Settlement)>;

pub(super) struct Session<'a> {
    parts: &'a Parts,
    flow: Flow,
    budget: Arc<Budget>,
    jobs: BoxStream<'static, Result<Job>>,
    jobs_ended: bool,
    /// Until it has ended; then the consumer that it gave back.
    reader: Option<JoinHandle<ReaderEnd>>,
    consumer: Option<Box<dyn Consumer>>,
    /// Why the source has no more, where that is an error; what came before it is finished first.
    source_failed: Option<Error>,
    stop_reading: CancellationToken,
    settler: Arc<dyn Settler>,
    sending: Option<BoxFuture<'static, Results>>,
    settling: Option<BoxFuture<'static, (Settlements, Result<()>)>>,
    burying: Option<BoxFuture<'static, (DeadLetter, Result<()>)>>,
    deadline: Option<Instant>,
    idle_since: Option<Instant>,
    _reader_ends_with_us: DropGuard,
}

impl<'a> Session<'a> {
    pub(super) fn new(parts: &'a Parts, (consumer, settler): Opened) -> Self {
        let (out, batches) = mpsc::channel(1);
        let budget = Arc::new(Budget::new(parts.rules.limits.bytes));
        let stop_reading = CancellationToken::new();
        let reader = tokio::spawn(reader::read(
            consumer,
            out,
            Arc::clone(&budget),
            Arc::clone(&parts.counts),
            parts.rules.limits,
            stop_reading.clone(),
        ));
        Self {
            parts,
            flow: Flow::new(parts.rules.clone(), Arc::clone(&parts.counts)),
            budget,
            jobs: transformed(parts, batches),
            jobs_ended: false,
            reader: Some(reader),
            consumer: None,
            source_failed: None,
            _reader_ends_with_us: stop_reading.clone().drop_guard(),
            stop_reading,
            settler: Arc::from(settler),
            sending: None,
            settling: None,
            burying: None,
            deadline: None,
            idle_since: None,
        }
    }

    /// Runs to the end, then gives back what is not settled and leaves the source.
    pub(super) async fn run(mut self, shutdown: &CancellationToken) -> End {
        let end = loop {
            self.start_what_can_be();
            self.tell_state();
            if self.jobs_ended && self.is_quiet() {
                break self
                    .source_failed
                    .take()
                    .map_or(Ok(()), |e| Err(End::Failed(e)));
            }
            match self.step(shutdown).await {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(end) => break Err(end),
            }
        };
        self.leave(end).await
    }

    fn start_what_can_be(&mut self) {
        if self.sending.is_none()
            && let Some(batch) = self.flow.next_batch(Instant::now())
        {
            let producer = self.parts.producer.clone();
            self.sending = Some(Box::pin(async move { producer.send(batch).await }));
        }
        if self.settling.is_none() {
            let settlements = self.flow.take_settlements();
            if !settlements.is_empty() {
                self.settling = Some(settle(Arc::clone(&self.settler), settlements));
            }
        }
        if self.burying.is_none()
            && let Some(letter) = self.flow.dead.pop_front()
            && let Some(producer) = &self.parts.dead_letters
        {
            self.burying = Some(bury(self.parts, producer.clone(), letter));
        }
        self.budget.give(self.flow.take_freed());
        // The flow knows nothing of what the transforms work on; the budget does.
        let waits_beside_held = self.parts.until == Until::End
            && self.flow.held() > 0
            && !self.stop_reading.is_cancelled()
            && self.is_quiet()
            && self.budget.is_unused();
        match self.idle_since {
            None if waits_beside_held => self.idle_since = Some(Instant::now()),
            Some(_) if !waits_beside_held => self.idle_since = None,
            _ => {}
        }
    }

    fn is_quiet(&self) -> bool {
        self.flow.is_empty() && self.settling.is_none() && self.burying.is_none()
    }

    /// Waits for the next event; false where the grace of a shutdown is over.
    async fn step(&mut self, shutdown: &CancellationToken) -> Result<bool, End> {
        let idle_end = self.idle_since.map(|since| since + IDLE_BESIDE_HELD);
        tokio::select! {
            biased;
            () = shutdown.cancelled(), if self.deadline.is_none() => {
                self.deadline = Some(Instant::now() + self.parts.rules.limits.grace);
                self.stop_reading.cancel();
            }
            () = at(self.deadline) => return Ok(false),
            () = at(idle_end) => self.stop_reading.cancel(),
            (settlements, result) = some(&mut self.settling) => {
                self.settling = None;
                self.settled(&settlements, result)?;
            }
            results = some(&mut self.sending) => {
                self.sending = None;
                self.flow.results(Instant::now(), results).map_err(End::Failed)?;
            }
            (letter, result) = some(&mut self.burying) => {
                self.burying = None;
                result.map_err(End::Failed)?;
                self.flow.dead_letter_confirmed(letter.source).map_err(End::Failed)?;
            }
            job = self.jobs.next(), if !self.jobs_ended => match job {
                Some(job) => self.flow.add(job.map_err(End::Failed)?).map_err(End::Failed)?,
                None => return self.source_ended().await,
            },
            () = at(self.flow.next_wake()) => {}
        }
        Ok(true)
    }

    fn settled(&mut self, settlements: &Settlements, result: Result<()>) -> Result<(), End> {
        let acks = settlements.iter().filter(|(_, s)| *s == Settlement::Ack);
        let Err(error) = result else {
            self.parts.counts.moved.add(acks.count());
            return Ok(());
        };
        self.parts.counts.duplicates.add(acks.count());
        Err(
            if error.kind().is_retryable() || error.kind() == ErrorKind::Closed {
                End::SourceLost(error)
            } else {
                End::Failed(error)
            },
        )
    }

    /// The reader is done: at the end, when stopped, or because the source is gone.
    async fn source_ended(&mut self) -> Result<bool, End> {
        self.jobs_ended = true;
        let Some(reader) = self.reader.take() else {
            return Ok(true);
        };
        let (consumer, result) = reader.await.map_err(|panic| {
            let error = Error::new(ErrorKind::Closed, "receive", "the consumer panicked");
            End::Failed(error.with_source(panic))
        })?;
        self.consumer = Some(consumer);
        match result {
            Err(error) if error.kind().is_retryable() => Err(End::SourceLost(error)),
            result => {
                self.source_failed = result.err();
                Ok(true)
            }
        }
    }

    async fn leave(mut self, end: Result<(), End>) -> End {
        let grace = self.parts.rules.limits.grace;
        self.stop_reading.cancel();
        if let Err(End::SourceLost(_)) = end {
            self.hear_out().await;
        }
        if let Err(End::Failed(_)) = end {
            drop(tokio::time::timeout(grace, self.settle_the_rest()).await);
        }
        drop(self.jobs);
        let consumer = match self.reader {
            Some(reader) => match tokio::time::timeout(grace, reader).await {
                Ok(Ok((consumer, _))) => Some(consumer),
                _ => None,
            },
            None => self.consumer,
        };
        if let Some(mut consumer) = consumer {
            match tokio::time::timeout(grace, consumer.close()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "the source was left in disorder"),
                Err(_) => tracing::warn!("the source did not answer the good-bye"),
            }
        }
        end.err().unwrap_or(End::Done)
    }

    /// Waits for what is under way, which the next session must not overtake, and counts what comes
    /// again though it was confirmed.
    async fn hear_out(&mut self) {
        let grace = self.parts.rules.limits.grace;
        let (sending, settling) = (self.sending.take(), self.settling.take());
        let (results, settled) = tokio::join!(
            tokio::time::timeout(grace, some_or_done(sending)),
            tokio::time::timeout(grace, some_or_done(settling)),
        );
        if let Ok(Some((settlements, result))) = settled {
            // The source is gone already: a second reason adds nothing.
            drop(self.settled(&settlements, result));
        }
        let results = results.ok().flatten().unwrap_or_default();
        self.flow.source_lost(results);
    }

    /// Settles what is confirmed before the pipe stops with an error.
    async fn settle_the_rest(&mut self) {
        if let Some(results) = some_or_done(self.sending.take()).await {
            // The pipe stops already: a second reason adds nothing.
            drop(self.flow.results(Instant::now(), results));
        }
        let under_way = some_or_done(self.settling.take()).await;
        let rest = self.flow.take_settlements();
        let last = match rest.is_empty() {
            true => None,
            false => Some(settle(Arc::clone(&self.settler), rest).await),
        };
        for (settlements, result) in under_way.into_iter().chain(last) {
            drop(self.settled(&settlements, result));
        }
    }

    fn tell_state(&self) {
        let busy = !self.is_quiet() || self.sending.is_some();
        self.parts.tell(self.flow.trouble(), busy);
    }
}

/// The source's batches behind all transforms, each of which works on several at a time.
fn transformed(
    parts: &Parts,
    batches: mpsc::Receiver<Vec<Incoming>>,
) -> BoxStream<'static, Result<Job>> {
    let keep_originals = parts.dead_letters.is_some() && !parts.transforms.is_empty();
    let overlap = parts.rules.limits.overlap.get();
    let batches = stream::unfold(batches, async |mut batches| {
        let batch = batches.recv().await?;
        Some((batch, batches))
    });
    let jobs = batches.map(move |batch| Ok(Job::new(batch, keep_originals)));
    parts
        .transforms
        .iter()
        .fold(jobs.boxed(), |jobs, transform| {
            let transform = Arc::clone(transform);
            let apply = move |job: Result<Job>| {
                let transform = Arc::clone(&transform);
                async move { job?.transform(transform).await }
            };
            jobs.map(apply).buffered(overlap).boxed()
        })
}

fn settle(
    settler: Arc<dyn Settler>,
    settlements: Settlements,
) -> BoxFuture<'static, (Settlements, Result<()>)> {
    Box::pin(async move {
        let result = settler.settle(settlements.clone()).await;
        (settlements, result)
    })
}

/// Sends a dead letter until it is confirmed or refused.
fn bury(
    parts: &Parts,
    producer: ProducerService,
    letter: DeadLetter,
) -> BoxFuture<'static, (DeadLetter, Result<()>)> {
    let backoff = parts.rules.backoff;
    let message = letter.message.clone();
    let message = dead_letter::label(
        message,
        &letter.error,
        letter.attempts,
        &parts.name,
        Millis::now(),
    );
    Box::pin(async move {
        let mut retry = 0;
        loop {
            let result = producer.send(vec![message.clone()]).await.pop();
            let result = result.unwrap_or(Ok(()));
            match result {
                Err(error) if error.kind().is_retryable() => {
                    retry += 1;
                    tracing::warn!(%error, "a dead letter will be sent again");
                    tokio::time::sleep(backoff.delay(retry)).await;
                }
                result => {
                    let failed = |error: Error| {
                        let message = format!("{}: a dead letter was refused", letter.error);
                        Error::new(error.kind(), "run pipe", message).with_source(error)
                    };
                    let result = result.map_err(failed);
                    return (letter, result);
                }
            }
        }
    })
}

/// The future's output; never, where there is none.
async fn some<T>(slot: &mut Option<BoxFuture<'static, T>>) -> T {
    match slot {
        Some(future) => future.await,
        None => pending().await,
    }
}

async fn some_or_done<T>(slot: Option<BoxFuture<'static, T>>) -> Option<T> {
    match slot {
        Some(future) => Some(future.await),
        None => None,
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => pending().await,
    }
}
