//! How many octets of requests are received at once, all connections together.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests up to this size are not counted: connections are.
const SMALL: usize = 256 << 10;
/// Octets of larger requests.
const ROOM: usize = 256 << 20;
const UNIT: usize = 1 << 10;

/// Room for large requests; first come, first served.
#[derive(Debug)]
pub(super) struct Intake(Arc<Semaphore>);

impl Default for Intake {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ROOM / UNIT)))
    }
}

impl Intake {
    /// Waits for room for a request of `octets`; given back when the permit is dropped.
    pub(super) async fn admit(&self, octets: usize) -> Option<OwnedSemaphorePermit> {
        if octets <= SMALL {
            return None;
        }
        let units = u32::try_from((octets / UNIT).min(ROOM / UNIT)).unwrap_or(u32::MAX);
        self.0.clone().acquire_many_owned(units).await.ok()
    }
}
