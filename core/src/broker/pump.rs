//! The deliver path: from a dispatcher's grants to consumers' outboxes.

use std::{ops::Range, sync::Arc, time::Duration};

use super::{
    Content, Delivery, Subscription, Topic,
    expiry::is_expired,
    subscription::{State, gone},
};
use crate::{
    codec::Codecs,
    dispatcher::{Grant, OwnerId, Settle},
    entry::{Entry, Flags},
    error::{Error, ErrorKind, Result},
    id::{Millis, Offset, PartitionId},
    message::Message,
    store::ReadLimit,
};

/// Messages handed out in one round.
const BUDGET: usize = 256;
/// Octets read from the log at once.
const READ_BYTES: usize = 1 << 20;
/// Milliseconds until what the store refused is tried again.
const RETRY: i64 = 1000;
/// Grants this near each other are read together.
const READ_GAP: u64 = 64;

/// Starts the subscription's pump, unless it runs.
pub(super) fn ensure(subscription: &Arc<Subscription>, state: &mut State) {
    if !state.pumping {
        state.pumping = true;
        tokio::spawn(run(subscription.clone()));
    }
}

/// Runs until the subscription is gone or has no consumer left.
async fn run(subscription: Arc<Subscription>) {
    while !subscription.gone.is_cancelled() {
        let wake = subscription.wake.clone();
        let (grants, wait) = {
            let mut state = subscription.state.lock();
            let mut grants = std::mem::take(&mut state.granted);
            if state.outboxes.is_empty() {
                state.pumping = false;
                for grant in grants {
                    state.dispatcher.settle(grant.receipt, Settle::Unsent);
                }
                return;
            }
            let now = Millis::steady();
            state.dispatcher.tick(now);
            grants.append(&mut state.dispatcher.poll(now, BUDGET));
            let again = (!subscription.persist_later(&mut state)).then_some(RETRY);
            let next = state.dispatcher.next_tick();
            let next = next.map(|at| at.0.saturating_sub(now.0).max(1));
            (grants, next.into_iter().chain(again).min())
        };
        if grants.is_empty() {
            idle(&subscription, &wake, wait).await;
        } else if let Err(error) = deliver(&subscription, grants).await {
            tracing::warn!(subscription = %subscription.name(), %error, "cannot deliver");
            idle(&subscription, &wake, Some(RETRY)).await;
        }
    }
}

async fn idle(subscription: &Subscription, wake: &tokio::sync::Notify, wait: Option<i64>) {
    let wait = Duration::from_millis(wait.unwrap_or(i64::MAX).unsigned_abs());
    tokio::select! {
        () = wake.notified() => {}
        () = tokio::time::sleep(wait.min(Duration::from_hours(24))) => {}
        () = subscription.gone.cancelled() => {}
    }
}

/// Reads what was granted and hands it over. What is no message is settled; what could not be
/// read goes back as if it had not been granted.
async fn deliver(subscription: &Arc<Subscription>, mut grants: Vec<Grant>) -> Result<()> {
    let topic = subscription.topic()?;
    let codecs = &subscription.broker.upgrade().ok_or_else(gone)?.codecs;
    grants.sort_unstable_by_key(|grant| grant.receipt);
    let mut source = Source::new(&topic, codecs);
    let mut failure = None;
    for (index, grant) in grants.iter().enumerate() {
        let last = run_end(&grants[index..]);
        match source
            .find(grant.receipt.partition, grant.receipt.offset, last)
            .await
        {
            Ok(Found::Expired) => too_late(subscription, grant),
            Ok(Found::Message(content)) => hand_over(subscription, &topic, grant, content),
            Ok(Found::Nothing(end)) => nothing(subscription, grant, end),
            Ok(Found::Damaged(error)) => {
                give_up(subscription, grant, Settle::Unsent);
                failure = Some(error);
            }
            Err(error) if is_lost(&error) => {
                tracing::warn!(topic = %topic.name(), offset = %grant.receipt.offset, %error, "cannot be delivered: rejected");
                give_up(subscription, grant, Settle::Done);
            }
            Err(error) => {
                give_up(subscription, grant, Settle::Unsent);
                failure = Some(error);
            }
        }
    }
    failure.map_or(Ok(()), Err)
}

/// Whether no later try can deliver it: it does not decode.
fn is_lost(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Invalid | ErrorKind::Unsupported | ErrorKind::Corrupt
    )
}

impl Subscription {
    /// Leases the next message to `owner` without attaching (AMQP `basic.get`); `None` where
    /// nothing is ready. Cancel-safe: what it gave up on is ready again.
    ///
    /// # Errors
    /// `NotFound` where the topic is gone, `Corrupt` where it is damaged, and the store's.
    pub async fn get(&self, owner: OwnerId) -> Result<Option<Delivery>> {
        let topic = self.topic()?;
        topic.check_whole()?;
        let broker = self.broker.upgrade().ok_or_else(gone)?;
        let mut source = Source::new(&topic, &broker.codecs);
        loop {
            let Some(taken) = self.take_next(owner).await? else {
                return Ok(None);
            };
            let at = taken.grant.receipt;
            match source.find(at.partition, at.offset, at.offset).await {
                Ok(Found::Message(content)) => {
                    return Ok(Some(delivery(&topic, &taken.keep(), content)));
                }
                Ok(Found::Nothing(end)) => self.vanish(at.partition, at.offset..end),
                Ok(Found::Expired) => {
                    self.state.lock().expired += 1;
                    self.settle_one(&taken.keep(), Settle::Done);
                }
                Err(error) if is_lost(&error) => {
                    tracing::warn!(topic = %topic.name(), offset = %at.offset, %error, "cannot be delivered: rejected");
                    self.state.lock().rejected += 1;
                    self.settle_one(&taken.keep(), Settle::Done);
                }
                Ok(Found::Damaged(error)) | Err(error) => return Err(error),
            }
        }
    }

    /// The next message, once its horizon is on disk.
    async fn take_next(&self, owner: OwnerId) -> Result<Option<Taken<'_>>> {
        loop {
            let seq = {
                let mut state = self.state.lock();
                self.used_in(&mut state);
                let now = Millis::steady();
                state.dispatcher.tick(now);
                self.serve_consumers(&mut state, now);
                let grant = state.dispatcher.get(owner);
                let persisted = self.persist(&mut state);
                // In memory a new horizon holds at once.
                if let Some(grant) = grant.or_else(|| state.dispatcher.get(owner)) {
                    let subscription = self;
                    return Ok(Some(Taken {
                        subscription,
                        grant,
                    }));
                }
                persisted?;
                let is_ready = state.dispatcher.counts().ready > 0;
                state.reserving.seq().filter(|_| is_ready)
            };
            // Something may be ready and not given out: its horizon is on its way to disk.
            let Some(seq) = seq else {
                return Ok(None);
            };
            self.confirm(Some(seq)).await?;
            let mut state = self.state.lock();
            for (partition, horizon) in state.reserving.take(seq) {
                state.dispatcher.reserved(partition, horizon);
            }
        }
    }

    /// Consumers come first: what they can take was theirs when it came, as in RabbitMQ.
    fn serve_consumers(&self, state: &mut State, now: Millis) {
        if state.pumping {
            let mut grants = state.dispatcher.poll(now, BUDGET);
            state.granted.append(&mut grants);
            self.wake.notify_one();
        }
    }

    fn settle_one(&self, grant: &Grant, settle: Settle) {
        let mut state = self.state.lock();
        state.dispatcher.settle(grant.receipt, settle);
        self.persist_later(&mut state);
    }
}

/// A lease that nobody has seen yet; given up on, it is ready again.
struct Taken<'a> {
    subscription: &'a Subscription,
    grant: Grant,
}

impl Taken<'_> {
    fn keep(self) -> Grant {
        let grant = self.grant;
        std::mem::forget(self);
        grant
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.subscription.settle_one(&self.grant, Settle::Unsent);
        self.subscription.wake.notify_one();
    }
}

/// The last offset that one read should reach for the grants that follow.
fn run_end(grants: &[Grant]) -> Offset {
    let near = grants.windows(2).take_while(|pair| {
        let (here, next) = (pair[0].receipt, pair[1].receipt);
        here.partition == next.partition && next.offset.0 - here.offset.0 <= READ_GAP
    });
    let last = near.last().map_or(&grants[0], |pair| &pair[1]);
    last.receipt.offset
}

fn hand_over(subscription: &Subscription, topic: &Topic, grant: &Grant, content: Content) {
    let delivery = delivery(topic, grant, content);
    let mut state = subscription.state.lock();
    let outbox = grant.consumer.and_then(|id| state.outboxes.get(&id));
    if let Some((sender, outbox)) = outbox {
        outbox.fill(delivery.size());
        if sender.send(delivery).is_ok() {
            return;
        }
    }
    state.dispatcher.settle(grant.receipt, Settle::Unsent);
}

/// Settles all of a hole with its first grant; the grants behind it find it settled.
fn nothing(subscription: &Subscription, grant: &Grant, end: Offset) {
    let at = grant.receipt;
    subscription.vanish(at.partition, at.offset..end);
    forget(subscription, grant);
}

/// It expired while it waited its turn, or while somebody held it.
fn too_late(subscription: &Subscription, grant: &Grant) {
    subscription.state.lock().expired += 1;
    subscription.settle_one(grant, Settle::Done);
    forget(subscription, grant);
}

fn give_up(subscription: &Subscription, grant: &Grant, settle: Settle) {
    if settle == Settle::Done {
        subscription.state.lock().rejected += 1;
    }
    subscription.settle_one(grant, settle);
    forget(subscription, grant);
}

fn forget(subscription: &Subscription, grant: &Grant) {
    let state = subscription.state.lock();
    if let Some((_, outbox)) = grant.consumer.and_then(|id| state.outboxes.get(&id)) {
        outbox.forget();
    }
}

fn delivery(topic: &Topic, grant: &Grant, content: Content) -> Delivery {
    Delivery {
        receipt: grant.receipt,
        topic: topic.name().clone(),
        attempts: grant.attempts,
        redelivered: grant.redelivered,
        content,
    }
}

enum Found {
    Message(Content),
    /// No message from the offset asked for up to this one.
    Nothing(Offset),
    Expired,
    /// What is stored is damaged: only a person gives it up, so it is settled for nobody.
    Damaged(Error),
}

/// Entries read ahead on one partition, and the batch that was decoded last.
struct Source<'a> {
    topic: &'a Topic,
    codecs: &'a Codecs,
    partition: PartitionId,
    entries: Vec<Entry>,
    /// Where nothing was found: forgotten, or trimmed since it was granted.
    hole: Range<Offset>,
    batch: Option<(Offset, Vec<(Offset, Message)>)>,
}

impl<'a> Source<'a> {
    fn new(topic: &'a Topic, codecs: &'a Codecs) -> Self {
        Self {
            topic,
            codecs,
            partition: PartitionId(0),
            entries: Vec::new(),
            hole: Offset::ZERO..Offset::ZERO,
            batch: None,
        }
    }

    async fn find(
        &mut self,
        partition: PartitionId,
        offset: Offset,
        last: Offset,
    ) -> Result<Found> {
        let is_known = self.hole.contains(&offset) || self.covering(offset).is_some();
        if partition != self.partition || !is_known {
            match self.read(partition, offset, last).await {
                Err(error) if error.kind() == ErrorKind::Corrupt => {
                    return Ok(Found::Damaged(error));
                }
                read => read?,
            }
        }
        let Some(at) = self.covering(offset) else {
            return Ok(Found::Nothing(self.hole.end));
        };
        let entry = &self.entries[at];
        let draft = &entry.draft;
        if draft.flags.contains(Flags::CONTROL) || draft.visible == 0 {
            return Ok(Found::Nothing(entry.end_offset()));
        }
        if is_expired(entry, Millis::now()) {
            return Ok(Found::Expired);
        }
        if draft.span == 1 && draft.visible == 1 {
            return Ok(Found::Message(Content::Raw(entry.clone())));
        }
        let base = entry.base_offset;
        if self.batch.as_ref().is_none_or(|(of, _)| *of != base) {
            self.batch = Some((base, self.codecs.decode(entry)?));
        }
        let messages = self
            .batch
            .as_ref()
            .map_or(&[][..], |(_, messages)| messages);
        let found = messages.binary_search_by_key(&offset, |(at, _)| *at);
        Ok(found.map_or(Found::Nothing(offset.next()), |at| {
            Found::Message(Content::Decoded(Box::new(messages[at].1.clone())))
        }))
    }

    fn covering(&self, offset: Offset) -> Option<usize> {
        let behind = self
            .entries
            .partition_point(|entry| entry.end_offset() <= offset);
        self.entries
            .get(behind)
            .filter(|entry| entry.covers(offset))
            .map(|_| behind)
    }

    async fn read(&mut self, partition: PartitionId, offset: Offset, last: Offset) -> Result<()> {
        let log = self.topic.partition(partition)?;
        // Told before the read: what is below and not found is gone for good.
        let leasable = log.leasable();
        let count = usize::try_from(last.0 - offset.0 + 1).unwrap_or(BUDGET);
        let limit = ReadLimit {
            bytes: READ_BYTES,
            entries: count,
        };
        self.partition = partition;
        self.batch = None;
        self.entries = match self.topic.store.read(log.log, offset, limit).await {
            Ok(entries) => entries,
            // Trimmed since it was granted: it is no message any more.
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let next = self.entries.first().map_or(leasable, |e| e.base_offset);
        let end = next.min(leasable).max(log.start()).max(offset.next());
        let is_there = self.covering(offset).is_some();
        self.hole = offset..if is_there { offset } else { end };
        Ok(())
    }
}
