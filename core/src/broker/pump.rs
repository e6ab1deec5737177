//! The deliver path: from a dispatcher's grants to consumers' outboxes.

use std::{sync::Arc, time::Duration};

use futures::FutureExt;
use tokio::time::Instant;

use super::{
    Content, Subscription, Topic,
    source::{Found, Source, delivery, is_lost},
    subscription::{State, gone},
    unreadable::Unreadable,
};
use crate::{
    dispatcher::{ConsumerId, Grant, Settle},
    error::{Error, Result},
    id::{Millis, Offset, PartitionId},
};

/// Messages handed out in one round.
pub(super) const BUDGET: usize = 256;
/// Milliseconds until what the store refused, or could not be read, is tried again.
const RETRY: i64 = 1000;
/// The least time between two tries to read what could not be read.
const PAUSE: Duration = Duration::from_millis(100);
/// How long what cannot be read is out of turn, so that what is behind it is delivered.
const REST: Duration = Duration::from_secs(10);
/// Reads that may fail in one round.
const TRIES: usize = 64;
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
    let mut unreadable = Unreadable::default();
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
        } else if let Err(error) = deliver(&subscription, grants, &mut unreadable).await {
            tracing::warn!(subscription = %subscription.name(), %error, "cannot deliver");
            // What it gave up woke it, and would at once again.
            wake.notified().now_or_never();
            pause(&subscription).await;
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

/// Others may be waiting; but what cannot be read is not to keep a processor busy.
async fn pause(subscription: &Subscription) {
    tokio::select! {
        () = tokio::time::sleep(PAUSE) => {}
        () = subscription.gone.cancelled() => {}
    }
}

/// What one round has met, and passes over from then on.
#[derive(Default)]
struct Round {
    /// Their outboxes hold as many octets as they may.
    full: Vec<ConsumerId>,
    /// They could not be read: what is behind keeps its place behind.
    unread: Vec<PartitionId>,
    /// Reads that failed.
    failed: usize,
    failure: Option<Error>,
}

impl Round {
    fn passes_over(&self, grant: &Grant) -> bool {
        let consumer = grant.consumer.as_ref();
        consumer.is_some_and(|consumer| self.full.contains(consumer))
            || self.unread.contains(&grant.receipt.partition)
    }
}

/// Reads what was granted and hands it over. What is no message is settled; what could not be
/// read, or has no room, goes back as if it had not been granted.
async fn deliver(
    subscription: &Arc<Subscription>,
    mut grants: Vec<Grant>,
    unreadable: &mut Unreadable,
) -> Result<()> {
    let topic = subscription.topic()?;
    let broker = subscription.broker.upgrade().ok_or_else(gone)?;
    grants.sort_unstable_by_key(|grant| grant.receipt);
    let mut source = Source::new(&topic, &broker);
    let mut round = Round::default();
    for (index, grant) in grants.iter().enumerate() {
        if round.passes_over(grant) {
            give_up(subscription, grant, Settle::Unsent);
            continue;
        }
        let (at, last) = (grant.receipt, run_end(&grants[index..]));
        let mut found = source.find(at.partition, at.offset, last).await;
        if last != at.offset && found.as_ref().is_err_and(|error| !is_lost(error)) {
            // It may be what was read along with it.
            found = source.find(at.partition, at.offset, at.offset).await;
        }
        match found {
            Ok(Found::Expired) => too_late(subscription, grant),
            Ok(Found::Message(content)) => {
                unreadable.read(at.partition, at.offset);
                if !hand_over(subscription, &topic, grant, content) {
                    round.full.extend(grant.consumer);
                }
            }
            Ok(Found::Nothing(end)) => nothing(subscription, grant, end),
            Ok(Found::Damaged(error)) => {
                give_up(subscription, grant, at_rest());
                round.failure = Some(error);
            }
            Err(error) if is_lost(&error) => {
                tracing::warn!(topic = %topic.name(), offset = %at.offset, %error, "cannot be delivered: rejected");
                give_up(subscription, grant, Settle::Done);
            }
            Err(error) => {
                let is_passed = unreadable.failed(at.partition, at.offset, Instant::now());
                round.failed += 1;
                let settle = match is_passed && round.failed < TRIES {
                    true => at_rest(),
                    false => {
                        round.unread.push(at.partition);
                        Settle::Unsent
                    }
                };
                give_up(subscription, grant, settle);
                round.failure = Some(error);
            }
        }
    }
    round.failure.map_or(Ok(()), Err)
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

/// Out of turn for a while: a consumer that takes few at once would be given nothing else.
pub(super) fn at_rest() -> Settle {
    let until = Millis::steady().after(REST);
    Settle::Rest { until }
}

/// Returns whether the consumer's outbox takes more after this one.
fn hand_over(subscription: &Subscription, topic: &Topic, grant: &Grant, content: Content) -> bool {
    let delivery = delivery(topic, grant, content);
    let mut state = subscription.state.lock();
    let outbox = grant.consumer.and_then(|id| state.outboxes.get(&id));
    if let Some((sender, outbox)) = outbox {
        let takes_more = outbox.fill(delivery.size());
        if sender.send(delivery).is_ok() {
            return takes_more;
        }
    }
    state.dispatcher.settle(grant.receipt, Settle::Unsent);
    true
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
