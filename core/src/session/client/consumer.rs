//! Receiving.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::{
    super::{OpenMode, Request},
    Guard, disconnected,
    events::{Found, Shared},
    lease_keeper::LeaseKeeper,
};
use crate::{
    driver::{Consumer, Incoming, ReceiveLimit, StartAt},
    error::{Error, ErrorKind, Result},
};

/// A [`Consumer`] that grants credit as the caller takes and settles, and keeps what is leased until
/// it is closed or dropped.
pub struct ClientConsumer {
    shared: Arc<Shared>,
    requests: Option<mpsc::Sender<Request>>,
    keeper: Option<LeaseKeeper>,
    guard: Option<Guard>,
}

impl ClientConsumer {
    pub(super) fn new(
        shared: Arc<Shared>,
        requests: mpsc::Sender<Request>,
        keeper: Option<LeaseKeeper>,
        guard: Guard,
    ) -> Self {
        Self {
            shared,
            requests: Some(requests),
            keeper,
            guard: Some(guard),
        }
    }

    /// Grants ahead of need where that does not wait.
    fn grant_now(&self, requests: &mpsc::Sender<Request>) {
        if let Ok(permit) = requests.try_reserve()
            && let Some(credit) = self.shared.grant()
        {
            permit.send(Request::Credit(credit));
        }
    }

    /// Grants what the window has room for. Cancel-safe: room is taken once the grant can be sent.
    async fn grant(&self, requests: &mpsc::Sender<Request>) -> Result<()> {
        let permit = requests.reserve().await;
        let permit = permit.map_err(|_| disconnected("receive"))?;
        if let Some(credit) = self.shared.grant() {
            permit.send(Request::Credit(credit));
        }
        Ok(())
    }
}

#[async_trait]
impl Consumer for ClientConsumer {
    async fn receive(&mut self, limit: ReceiveLimit) -> Result<Option<Vec<Incoming>>> {
        let Some(requests) = &self.requests else {
            let message = "this consumer was closed";
            return Err(Error::new(ErrorKind::Closed, "receive", message));
        };
        loop {
            let found = self.shared.take(limit.messages.get(), limit.bytes)?;
            match found {
                Found::Drained => return Ok(None),
                Found::Messages(messages) => {
                    self.grant_now(requests);
                    return Ok(Some(messages));
                }
                Found::Nothing => {}
            }
            tokio::select! {
                granted = self.grant(requests) => granted.or_else(|_| self.shared.take(0, 0).map(|_| ()))?,
                () = self.shared.changed.notified() => continue,
            }
            self.shared.changed.notified().await;
        }
    }

    async fn seek(&mut self, to: StartAt) -> Result<()> {
        let (OpenMode::Positional, Some(requests)) = (self.shared.mode, &self.requests) else {
            let message = format!("this source cannot move to {to}; open it with mode=positional");
            return Err(Error::new(ErrorKind::Unsupported, "seek", message));
        };
        let (sequence, answer) = self.shared.ask()?;
        let seek = Request::Seek {
            sequence,
            partition: None,
            to,
        };
        requests
            .send(seek)
            .await
            .map_err(|_| disconnected("seek"))?;
        let answer = answer.await.map_err(|_| disconnected("seek"))?;
        answer.map(|_| ())
    }

    async fn close(&mut self) -> Result<()> {
        self.requests = None;
        self.keeper = None;
        self.guard = None;
        Ok(())
    }
}
