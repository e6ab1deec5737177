//! `basic.ack`, `basic.nack`, `basic.reject` and `basic.recover`.

use std::{collections::HashMap, sync::Arc};

use standpipe_core::{
    broker::{Confirm, Subscription},
    dispatcher::Receipt,
    driver::Settlement,
};

use super::{
    channel::Channel,
    refusal::{Handled, Refusal},
    unacked::Held,
};

/// Settlements of one subscription that wait at most.
const PIECE: usize = 4096;

/// Settlements that wait for the end of what was read at once, and for the disk.
#[derive(Debug, Default)]
pub(super) struct Settling {
    waiting: Vec<Batch>,
    /// The last promise of each subscription: it covers those before it.
    promised: HashMap<usize, Confirm>,
}

#[derive(Debug)]
struct Batch {
    subscription: Arc<Subscription>,
    settlements: Vec<(Receipt, Settlement)>,
}

impl Settling {
    /// Takes all of `held` up, and hands on what is much.
    ///
    /// # Errors
    /// As [`Settling::flush`]; all the same, all of it is taken up.
    fn extend(&mut self, held: impl Iterator<Item = Held>, settlement: &Settlement) -> Handled {
        let mut outcome = Ok(());
        for held in held {
            if self.push(held, settlement.clone()) >= PIECE {
                outcome = outcome.and(self.flush());
            }
        }
        outcome
    }

    /// Returns how many wait with it.
    fn push(&mut self, held: Held, settlement: Settlement) -> usize {
        let known = self
            .waiting
            .iter_mut()
            .rev()
            .find(|batch| Arc::ptr_eq(&batch.subscription, &held.subscription));
        let settled = (held.receipt, settlement);
        if let Some(batch) = known {
            batch.settlements.push(settled);
            return batch.settlements.len();
        }
        self.waiting.push(Batch {
            subscription: held.subscription,
            settlements: vec![settled],
        });
        1
    }

    /// Hands all that waits to the broker, whatever fails of it: its receipts are nowhere else, and
    /// what is not handed on stays leased.
    ///
    /// # Errors
    /// The first of them.
    pub(super) fn flush(&mut self) -> Handled {
        let mut outcome = Ok(());
        for batch in self.waiting.drain(..) {
            let at = Arc::as_ptr(&batch.subscription) as usize;
            match batch.subscription.settle(batch.settlements) {
                Ok(promise) => {
                    self.promised.insert(at, promise);
                }
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        outcome.map_err(Refusal::from)
    }

    /// Waits until all that was settled is persisted.
    pub(super) async fn persisted(&mut self) -> Handled {
        self.flush()?;
        for (_, promise) in self.promised.drain() {
            promise.wait().await?;
        }
        Ok(())
    }
}

impl Channel {
    /// Settles one delivery, or all up to it.
    pub(super) fn settle(&mut self, tag: u64, multiple: bool, settlement: &Settlement) -> Handled {
        let taken = self.shared.unacked.lock().take(tag, multiple);
        let Some(taken) = taken else {
            return Err(Refusal::precondition_failed(format!(
                "unknown delivery tag {tag}"
            )));
        };
        self.settling.extend(taken, settlement)
    }

    /// Puts back everything that is not settled, each to its place.
    pub(super) fn recover(&mut self, requeue: bool) -> Handled {
        if !requeue {
            return Err(Refusal::not_implemented("requeue=false"));
        }
        let taken = self.shared.unacked.lock().take_all();
        let outcome = self.settling.extend(taken, &Settlement::RELEASE);
        outcome.and(self.settling.flush())
    }
}

/// What a refusing verb does to the message.
pub(super) fn refused(requeue: bool) -> Settlement {
    if requeue {
        Settlement::RELEASE
    } else {
        Settlement::reject("rejected")
    }
}
