//! Back-pressure: producers wait here while too many octets are on their way to the store.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Broker;
use crate::error::{Error, ErrorKind, Result};

/// One permit stands for this many octets, so that large limits fit the semaphore.
const UNIT: usize = 1024;

/// Room for octets in flight; given back when it is dropped, which the broker does once they are durable.
#[derive(Debug)]
pub struct Admission(#[allow(unused)] Option<OwnedSemaphorePermit>);

impl Admission {
    /// No room taken: for octets that are counted elsewhere.
    pub const fn none() -> Self {
        Self(None)
    }
}

#[derive(Debug)]
pub(super) struct Gate {
    permits: Arc<Semaphore>,
    units: usize,
}

impl Gate {
    pub(super) fn new(bytes: usize) -> Self {
        let units = (bytes / UNIT).max(1);
        Self {
            permits: Arc::new(Semaphore::new(units)),
            units,
        }
    }
}

impl Broker {
    /// Waits for room for `bytes`; first come, first served. Cancel-safe.
    ///
    /// # Errors
    /// `Closed` when the broker shuts down.
    pub async fn admit(&self, bytes: usize) -> Result<Admission> {
        let gate = &self.inner.admission;
        let units = (bytes.div_ceil(UNIT)).clamp(1, gate.units);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let permit = gate.permits.clone().acquire_many_owned(units).await;
        permit
            .map(|permit| Admission(Some(permit)))
            .map_err(|_| Error::new(ErrorKind::Closed, "admit", "the broker is shutting down"))
    }

    pub(super) fn close_gate(&self) {
        self.inner.admission.permits.close();
    }
}
