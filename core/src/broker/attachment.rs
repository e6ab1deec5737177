//! A consumer attached to a lease subscription, and the outbox between it and the pump.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Notify, mpsc};

use super::{Broker, Credit, Delivery, Mode, Subscription, subscription::gone};
use crate::{
    dispatcher::{ConsumerId, ConsumerSpec, Demand, OwnerId, Settle},
    error::{Error, ErrorKind, Result},
};

/// A consumer as it asks to attach.
#[derive(Debug, Clone)]
pub struct Attach {
    /// Who answers for its leases.
    pub owner: OwnerId,
    /// How much it may have; may be shared with other attachments.
    pub credit: Arc<Credit>,
    /// Whether it must be the only one.
    pub exclusive: bool,
    /// How long a lease lasts; `None` lasts as long as its owner.
    pub lease: Option<Duration>,
}

/// An attached consumer. Dropping it ends the attachment: what it did not receive goes back as if
/// never sent, what it received stays leased until settled or its owner is released.
#[derive(Debug)]
pub struct Attachment {
    subscription: Arc<Subscription>,
    broker: Broker,
    consumer: ConsumerId,
    credit: Arc<Credit>,
    outbox: Arc<Outbox>,
    receiver: mpsc::UnboundedReceiver<Delivery>,
}

/// Counts what waits to be received, so that a consumer that does not read gets no more.
#[derive(Debug)]
pub(super) struct Outbox {
    /// What was granted and not taken out, whether it is there yet or not.
    messages: AtomicUsize,
    /// What is there.
    filled: AtomicUsize,
    bytes: AtomicUsize,
    /// Octets of what came last.
    typical: AtomicUsize,
    message_limit: usize,
    byte_limit: usize,
    wake: Arc<Notify>,
    credit: Arc<Credit>,
}

/// Where the pump puts deliveries.
pub(super) type Outboxes = HashMap<ConsumerId, (mpsc::UnboundedSender<Delivery>, Arc<Outbox>)>;

#[derive(Debug)]
struct Room {
    credit: Arc<Credit>,
    outbox: Arc<Outbox>,
}

impl Demand for Room {
    fn take(&self) -> bool {
        if !self.outbox.has_room() || !self.credit.take() {
            return false;
        }
        self.outbox.messages.fetch_add(1, Ordering::SeqCst);
        true
    }

    fn give_back(&self) {
        self.credit.give_back();
    }
}

impl Outbox {
    /// What was granted and is not there yet is taken to be as large as what came last.
    fn has_room(&self) -> bool {
        // In the order in which they fall: what was just taken out is not taken for what is coming.
        let filled = self.filled.load(Ordering::SeqCst);
        let messages = self.messages.load(Ordering::SeqCst);
        let coming = messages.saturating_sub(filled);
        let coming = coming.saturating_mul(self.typical.load(Ordering::SeqCst));
        let bytes = self.bytes.load(Ordering::SeqCst).saturating_add(coming);
        messages < self.message_limit && bytes < self.byte_limit
    }

    /// A delivery has its place among the messages since it was granted; now its octets count.
    /// Returns whether there is room for more of them.
    pub(super) fn fill(&self, bytes: usize) -> bool {
        self.typical.store(bytes, Ordering::SeqCst);
        let before = self.bytes.fetch_add(bytes, Ordering::SeqCst);
        self.filled.fetch_add(1, Ordering::SeqCst);
        before.saturating_add(bytes) < self.byte_limit
    }

    /// Takes out what was granted; `bytes` of it where it was there, in so many messages.
    fn take_out(&self, messages: usize, filled: usize, bytes: usize) {
        // What was there at the moment of taking out: the pump may have filled it just before, and
        // sleeps then. What is coming keeps it awake, so that counts for nothing here; and never
        // for more than it is, since `filled` falls last.
        let messages = self.messages.fetch_sub(messages, Ordering::SeqCst);
        let bytes = self.bytes.fetch_sub(bytes, Ordering::SeqCst);
        self.filled.fetch_sub(filled, Ordering::SeqCst);
        if messages >= self.message_limit || bytes >= self.byte_limit {
            self.wake.notify_one();
        }
    }

    /// A grant that came to nothing.
    pub(super) fn forget(&self) {
        self.credit.nothing_came();
        self.take_out(1, 0, 0);
    }
}

impl Broker {
    /// Attaches a consumer to a lease subscription.
    ///
    /// # Errors
    /// `Denied` against an exclusive consumer, `Unsupported` for another mode, `NotFound` where
    /// the subscription was deleted, `Corrupt` where the topic is damaged.
    pub fn attach(&self, subscription: &Arc<Subscription>, attach: Attach) -> Result<Attachment> {
        if subscription.mode() != Mode::Lease {
            let message = format!(
                "subscription `{}` is {:?}; messages are leased from `lease` subscriptions only",
                subscription.name(),
                subscription.mode()
            );
            return Err(Error::new(ErrorKind::Unsupported, "attach", message));
        }
        if subscription.gone.is_cancelled() {
            return Err(gone());
        }
        subscription.topic()?.check_whole()?;
        let limits = self.limits();
        let outbox = Arc::new(Outbox {
            messages: AtomicUsize::new(0),
            filled: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            typical: AtomicUsize::new(0),
            message_limit: limits.outbox_messages,
            byte_limit: limits.outbox_bytes,
            wake: subscription.wake.clone(),
            credit: attach.credit.clone(),
        });
        let room = Arc::new(Room {
            credit: attach.credit.clone(),
            outbox: outbox.clone(),
        });
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut state = subscription.state.lock();
        let consumer = state.dispatcher.attach(ConsumerSpec {
            owner: attach.owner,
            demand: room,
            exclusive: attach.exclusive,
            lease: attach.lease,
        })?;
        state.outboxes.insert(consumer, (sender, outbox.clone()));
        state.had_consumers = true;
        attach.credit.wakes(subscription.wake.clone());
        super::pump::ensure(subscription, &mut state);
        drop(state);
        subscription.wake.notify_one();
        Ok(Attachment {
            subscription: subscription.clone(),
            broker: self.clone(),
            consumer,
            credit: attach.credit,
            outbox,
            receiver,
        })
    }
}

impl Attachment {
    /// Deliveries, at least one and at most `limit`; `None` once the subscription is gone. Cancel-safe.
    pub async fn recv(&mut self, limit: usize) -> Option<Vec<Delivery>> {
        let mut deliveries = Vec::new();
        let count = tokio::select! {
            biased;
            count = self.receiver.recv_many(&mut deliveries, limit.max(1)) => count,
            () = self.subscription.gone.cancelled() => 0,
        };
        if count == 0 {
            return None;
        }
        let bytes = deliveries.iter().map(Delivery::size).sum();
        self.outbox
            .take_out(deliveries.len(), deliveries.len(), bytes);
        Some(deliveries)
    }

    /// The subscription.
    pub fn subscription(&self) -> &Arc<Subscription> {
        &self.subscription
    }

    /// Ends the attachment, and with it what lives only while it is used (an auto-delete queue),
    /// before this returns.
    pub async fn cancel(mut self) {
        self.detach();
        self.broker.delete_if_unused(&self.subscription).await;
    }

    fn detach(&mut self) {
        let mut state = self.subscription.state.lock();
        if state.outboxes.remove(&self.consumer).is_none() {
            return;
        }
        self.credit.no_longer_wakes(&self.subscription.wake);
        state.dispatcher.cancel(self.consumer);
        self.subscription.used_in(&mut state);
        self.receiver.close();
        while let Ok(delivery) = self.receiver.try_recv() {
            state.dispatcher.settle(delivery.receipt, Settle::Unsent);
        }
        drop(state);
        self.subscription.wake.notify_one();
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.detach();
        self.broker.inner.janitor.check_unused(&self.subscription);
    }
}
