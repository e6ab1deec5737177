//! How many octets of requests are held at once while they are received, all connections together.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What came of a request is not counted up to here: connections are.
const SMALL: usize = 256 << 10;
/// Octets of those that are larger; the one that is let through whatever is held comes on top.
const ROOM: usize = 256 << 20;
const UNIT: usize = 1 << 10;

/// Room for large requests; first come, first served.
#[derive(Debug)]
pub(super) struct Intake {
    room: Arc<Semaphore>,
    /// Has one permit: whoever holds it needs no room. Requests that hold a part of the room each,
    /// and wait for more, would otherwise wait for each other.
    alone: Arc<Semaphore>,
}

impl Default for Intake {
    fn default() -> Self {
        Self {
            room: Arc::new(Semaphore::new(ROOM / UNIT)),
            alone: Arc::new(Semaphore::new(1)),
        }
    }
}

impl Intake {
    /// The share of a request of which nothing has come yet.
    pub(super) fn share(&self) -> Share {
        Share {
            room: self.room.clone(),
            alone: self.alone.clone(),
            taken: None,
            passes: None,
        }
    }
}

/// What one request holds of the room; given back when this is dropped.
#[derive(Debug)]
pub(super) struct Share {
    room: Arc<Semaphore>,
    alone: Arc<Semaphore>,
    taken: Option<OwnedSemaphorePermit>,
    passes: Option<OwnedSemaphorePermit>,
}

impl Share {
    /// Waits until the request may hold `octets`: for what came, not for what it says will come.
    /// Cancel-safe.
    pub(super) async fn grow_to(&mut self, octets: usize) {
        if octets <= SMALL || self.passes.is_some() {
            return;
        }
        let taken = self.taken.as_ref().map_or(0, |taken| taken.num_permits());
        let more = (octets / UNIT).saturating_sub(taken);
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        tokio::select! {
            biased;
            Ok(more) = self.room.clone().acquire_many_owned(more) => match &mut self.taken {
                Some(taken) => taken.merge(more),
                None => self.taken = Some(more),
            },
            Ok(passes) = self.alone.clone().acquire_owned() => self.passes = Some(passes),
            else => {}
        }
    }
}
