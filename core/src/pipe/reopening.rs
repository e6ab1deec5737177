//! A producer that is opened when it is needed, and again after a disconnect.

use async_trait::async_trait;

use super::{Destination, flow::is_of_the_route};
use crate::{
    driver::Producer,
    error::{Error, ErrorKind, Result},
    message::Message,
};

/// Reports every failure to its caller, who waits and tries again.
pub(super) struct Reopening {
    destination: Box<dyn Destination>,
    open: Option<Box<dyn Producer>>,
}

impl Reopening {
    pub(super) fn new(destination: Box<dyn Destination>) -> Self {
        let open = None;
        Self { destination, open }
    }

    async fn opened(&mut self) -> Result<&mut Box<dyn Producer>> {
        let producer = match self.open.take() {
            Some(producer) => producer,
            None => self.destination.open().await?,
        };
        Ok(self.open.insert(producer))
    }
}

#[async_trait]
impl Producer for Reopening {
    /// An empty batch only opens the destination; its one result says how that went.
    async fn send(&mut self, batch: Vec<Message>) -> Vec<Result<()>> {
        let count = batch.len();
        let results = match self.opened().await {
            Err(error) if count == 0 => return vec![Err(error)],
            Err(error) => return vec![Err(of_the_route(error)); count],
            Ok(_) if count == 0 => return vec![Ok(())],
            Ok(producer) => producer.send(batch).await,
        };
        let gone = |r: &Result<()>| matches!(r, Err(e) if e.kind() == ErrorKind::Disconnected);
        if results.iter().any(gone) {
            // Whether it says good-bye properly does not matter: it is gone.
            if let Some(mut producer) = self.open.take() {
                drop(producer.close().await);
            }
        }
        results
    }

    async fn close(&mut self) -> Result<()> {
        match self.open.take() {
            Some(mut producer) => producer.close().await,
            None => Ok(()),
        }
    }
}

/// That a destination cannot be opened is no fault of the messages that wait for it: they are not
/// refused for it.
fn of_the_route(error: Error) -> Error {
    if error.kind().is_retryable() || is_of_the_route(error.kind()) {
        return error;
    }
    let message = "the destination cannot be opened again";
    Error::new(ErrorKind::Closed, "open", message).with_source(error)
}
