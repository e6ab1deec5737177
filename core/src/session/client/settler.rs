//! Settling.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use super::{
    super::{OpenMode, Request},
    Guard, disconnected,
    events::{Answer, Shared},
    from_remote,
    leases::Lease,
};
use crate::{
    dispatcher::Receipt,
    driver::{ReceiptToken, Settlement, Settler},
    error::{Error, ErrorKind, Result},
    id::{Offset, PartitionId},
};

/// A [`Settler`] that waits for the broker's answer.
///
/// What is settled after its lease has ended comes again, here or elsewhere. That is logged, and is
/// no error: nothing is wrong with the source, and all else that was settled is kept.
pub struct ClientSettler {
    shared: Arc<Shared>,
    requests: mpsc::Sender<Request>,
    /// Whether there is a position or lease to settle; a reader without a group has neither.
    remembers: bool,
    _guard: Guard,
}

impl ClientSettler {
    pub(super) fn new(
        shared: Arc<Shared>,
        requests: mpsc::Sender<Request>,
        remembers: bool,
        guard: Guard,
    ) -> Self {
        Self {
            shared,
            requests,
            remembers,
            _guard: guard,
        }
    }

    async fn settle_leases(&self, settlements: Vec<(ReceiptToken, Settlement)>) -> Result<()> {
        let mut held = Vec::with_capacity(settlements.len());
        let (mut through, mut late) = (Vec::new(), 0);
        for (token, settlement) in settlements {
            let is_final = settlement.is_final();
            match self.shared.lease(token) {
                Some(Lease::Held(receipt)) => held.push((receipt, settlement)),
                Some(Lease::Ended) if is_final => late += 1,
                _ => return Err(not_leased(token)),
            }
            if is_final {
                through.push(token);
            }
        }
        let settled = self.settle_held(held).await;
        self.shared.settled(&through);
        late += settled?;
        if late > 0 {
            tracing::warn!(
                late,
                "settled after their leases had ended; they come again"
            );
        }
        Ok(())
    }

    /// Settles what is held, and counts what was not any more.
    async fn settle_held(&self, held: Vec<(Receipt, Settlement)>) -> Result<usize> {
        if held.is_empty() {
            return Ok(0);
        }
        let extended = held.iter().filter(|(_, settlement)| !settlement.is_final());
        let extended: Vec<_> = extended.map(|(receipt, _)| *receipt).collect();
        let (sequence, answer) = self.shared.ask()?;
        let request = Request::Settle {
            sequence,
            settlements: held,
        };
        let failures = self.send(request, answer).await?;
        let late = failures.len();
        let is_late = |(receipt, error): &(Receipt, Error)| {
            error.kind() == ErrorKind::NotFound && !extended.contains(receipt)
        };
        let failure = failures.into_iter().find(|failure| !is_late(failure));
        failure.map_or(Ok(late), |(_, error)| Err(from_remote(error)))
    }

    async fn commit(&self, settlements: Vec<(ReceiptToken, Settlement)>) -> Result<()> {
        let mut offsets = BTreeMap::<PartitionId, Offset>::new();
        for (token, settlement) in settlements {
            if settlement != Settlement::Ack {
                let message = "a positional source can ack only; open it with mode=lease";
                return Err(Error::new(ErrorKind::Unsupported, "settle", message));
            }
            let partition = PartitionId(u32::try_from(token.lane.0).unwrap_or(u32::MAX));
            let next = Offset(token.number).next();
            let known = offsets.entry(partition).or_insert(next);
            *known = next.max(*known);
        }
        if !self.remembers {
            return Ok(());
        }
        let (sequence, answer) = self.shared.ask()?;
        let offsets = offsets.into_iter().collect();
        let answer = self.send(Request::Commit { sequence, offsets }, answer);
        answer.await.map(|_| ())
    }

    async fn send(&self, request: Request, answer: oneshot::Receiver<Answer>) -> Answer {
        let sent = self.requests.send(request).await;
        sent.map_err(|_| disconnected("settle"))?;
        answer.await.map_err(|_| disconnected("settle"))?
    }
}

#[async_trait]
impl Settler for ClientSettler {
    async fn settle(&self, settlements: Vec<(ReceiptToken, Settlement)>) -> Result<()> {
        if settlements.is_empty() {
            return Ok(());
        }
        match self.shared.mode {
            OpenMode::Positional => self.commit(settlements).await,
            OpenMode::Lease | OpenMode::Keyed => self.settle_leases(settlements).await,
        }
    }
}

fn not_leased(token: ReceiptToken) -> Error {
    let ReceiptToken { lane, number } = token;
    let message = format!(
        "delivery {number} of partition {} is not held by this consumer; \
         it was settled, or its lease ended, before",
        lane.0
    );
    Error::new(ErrorKind::NotFound, "settle", message)
}
