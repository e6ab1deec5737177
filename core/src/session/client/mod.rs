//! The client's end of a stream, whatever wire it goes over: the driver seams over channels.
//!
//! An adapter connects, and moves requests and events between its wire and what is here. It hands
//! in a `guard` that ends its tasks when the last of producer, consumer or settler is gone.

mod address;
mod consumer;
mod events;
mod lease_keeper;
mod leases;
mod producer;
mod settler;
#[cfg(test)]
mod tests;
mod window;

pub use address::{ADDRESS_OPTIONS, capabilities_of, destination_of, open_of};
pub use consumer::ClientConsumer;
pub use events::EventSink;
pub use producer::{ClientProducer, OutcomeSource};
pub use settler::ClientSettler;

use std::{any::Any, sync::Arc};

use tokio::sync::mpsc;

use super::{Open, OpenMode, Request};
use crate::error::{Error, ErrorKind};
use events::Shared;
use lease_keeper::LeaseKeeper;

/// Something that keeps a connection's tasks alive.
pub type Guard = Arc<dyn Any + Send + Sync>;

/// Messages that may be with the client and unsettled unless the caller says otherwise.
pub const DEFAULT_WINDOW: u32 = 1024;

/// Octets that may wait in the client.
const WINDOW_BYTES: u64 = 32 << 20;

/// A consumer and its settler over `requests`, and the sink that the adapter feeds what arrives.
/// `open` is what the adapter sends first; its credit must be none, since the consumer grants it.
///
/// What is leased is extended every third of `open.lease` until the consumer is closed or dropped,
/// or the stream ends: a caller may take longer for a message than a lease lasts.
///
/// # Panics
/// Outside a Tokio runtime, unless the mode is positional.
pub fn client_consumer(
    open: &Open,
    window: Option<u32>,
    requests: mpsc::Sender<Request>,
    guard: Guard,
) -> (ClientConsumer, ClientSettler, EventSink) {
    let window = window.unwrap_or(DEFAULT_WINDOW).max(1);
    let shared = Arc::new(Shared::new(open, window));
    let leases = open.mode != OpenMode::Positional;
    let keeper = leases.then(|| LeaseKeeper::new(shared.clone(), requests.clone(), open.lease));
    let consumer = ClientConsumer::new(shared.clone(), requests.clone(), keeper, guard.clone());
    let remembers = leases || open.group.is_some();
    let settler = ClientSettler::new(shared.clone(), requests, remembers, guard);
    (consumer, settler, EventSink::new(shared))
}

/// A broker elsewhere that closes is gone like any other; another connection may find it again.
pub fn from_remote(error: Error) -> Error {
    if error.kind() == ErrorKind::Closed {
        return gone(&error);
    }
    error
}

/// What a stream that ended with `error` is from then on: where trying again can help at all, only
/// another stream can.
fn end_of_stream(error: Error) -> Error {
    let error = from_remote(error);
    if error.kind().is_retryable() {
        return gone(&error);
    }
    error
}

fn gone(error: &Error) -> Error {
    Error::new(ErrorKind::Disconnected, error.operation(), error.message())
}

fn disconnected(operation: &'static str) -> Error {
    let message = "the connection to the broker is gone";
    Error::new(ErrorKind::Disconnected, operation, message)
}
