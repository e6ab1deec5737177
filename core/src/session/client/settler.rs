//! Settling.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use super::{
    super::{OpenMode, Request},
    Guard, disconnected,
    events::Shared,
};
use crate::{
    driver::{ReceiptToken, Settlement, Settler},
    error::{Error, ErrorKind, Result},
    id::{Offset, PartitionId},
};

/// A [`Settler`] that waits for the broker's answer.
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
        let mut known = Vec::with_capacity(settlements.len());
        let mut ended = Vec::new();
        for (token, settlement) in settlements {
            let receipt = self
                .shared
                .receipt(token)
                .ok_or_else(|| not_leased(token))?;
            if settlement.is_final() {
                ended.push(token);
            }
            known.push((receipt, settlement));
        }
        let (sequence, answer) = self.shared.ask()?;
        let request = Request::Settle {
            sequence,
            settlements: known,
        };
        let result = self.send(request, answer).await;
        self.shared.ended(&ended);
        result
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
        self.send(Request::Commit { sequence, offsets }, answer)
            .await
    }

    async fn send(&self, request: Request, answer: oneshot::Receiver<Result<()>>) -> Result<()> {
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
        "delivery {number} of partition {} is not held by this consumer; it was settled before",
        lane.0
    );
    Error::new(ErrorKind::NotFound, "settle", message)
}
