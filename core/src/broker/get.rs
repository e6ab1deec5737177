//! Leasing one message without being attached (AMQP `basic.get`).

use super::{
    Delivery, Subscription,
    pump::{BUDGET, at_rest},
    source::{Found, Source, delivery, is_lost},
    subscription::{State, gone},
};
use crate::{
    dispatcher::{Grant, OwnerId, Settle},
    error::Result,
    id::Millis,
};

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
        let mut source = Source::new(&topic, &broker);
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
                Ok(Found::Damaged(error)) => {
                    self.settle_one(&taken.keep(), at_rest());
                    return Err(error);
                }
                Err(error) => return Err(error),
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

    pub(super) fn settle_one(&self, grant: &Grant, settle: Settle) {
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
