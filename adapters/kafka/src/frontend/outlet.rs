//! How many octets of answers are held at once until they are written, all connections together.

use std::{fmt, future::Future, sync::Arc};

use bytes::BytesMut;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Answers up to this size are not counted: connections are, and each holds few of them. That is a
/// fetch's 1 MiB and what is told beside it.
const SMALL: usize = 2 << 20;
/// Octets of those that are larger and are written now; one that is larger than all of it waits until
/// it is alone.
const WRITTEN: usize = 256 << 20;
/// Octets of those that are larger and cannot be made anew: they are held while others are before them.
const KEPT: usize = 64 << 20;
const UNIT: usize = 1 << 10;

/// Room for large answers; first come, first served.
///
/// Nobody waits for what is held by somebody who waits. Room to write is given to answers whose turn has
/// come alone, and their clients have a limited time to take them. The other room is never waited for.
#[derive(Debug)]
pub(super) struct Outlet {
    written: Room,
    kept: Room,
}

#[derive(Debug)]
struct Room {
    octets: usize,
    free: Arc<Semaphore>,
}

/// An answer that is due, and its share of a room until it is written.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) octets: BytesMut,
    share: Option<OwnedSemaphorePermit>,
}

/// There is no room for an answer of so many octets.
#[derive(Debug)]
pub(super) struct Full(usize);

impl Default for Outlet {
    fn default() -> Self {
        Self {
            written: Room::of(WRITTEN),
            kept: Room::of(KEPT),
        }
    }
}

impl Outlet {
    /// Makes an answer whose turn to be written has come: it must be written next. One that has no room
    /// goes, waits until there is as much, and is made `anew`: what waits holds nothing, however many
    /// there are. Cancel-safe where both are.
    pub(super) async fn make(
        &self,
        first: impl Future<Output = BytesMut>,
        anew: impl Future<Output = BytesMut>,
    ) -> Due {
        match self.written.take(first.await) {
            Ok(due) => due,
            Err(full) => self.make_anew(full, anew).await,
        }
    }

    /// The same of an answer that is known to be large.
    pub(super) async fn make_anew(&self, full: Full, anew: impl Future<Output = BytesMut>) -> Due {
        let share = self.written.share(&full).await;
        Due {
            octets: anew.await,
            share: Some(share),
        }
    }

    /// Takes an answer that cannot be made anew; it need not be written next.
    ///
    /// # Errors
    /// Where there is no room for it.
    pub(super) fn take(&self, octets: BytesMut) -> Result<Due, Full> {
        self.kept.take(octets)
    }
}

impl Room {
    fn of(octets: usize) -> Self {
        Self {
            octets,
            free: Arc::new(Semaphore::new(octets / UNIT)),
        }
    }

    fn take(&self, octets: BytesMut) -> Result<Due, Full> {
        if octets.len() <= SMALL {
            return Ok(octets.into());
        }
        let full = Full(octets.len());
        let share = self.free.clone().try_acquire_many_owned(self.units(&full));
        match share {
            Ok(share) => Ok(Due {
                octets,
                share: Some(share),
            }),
            Err(_) => Err(full),
        }
    }

    async fn share(&self, full: &Full) -> OwnedSemaphorePermit {
        let free = self.free.clone();
        let share = free.acquire_many_owned(self.units(full)).await;
        share.expect("the semaphore is never closed")
    }

    fn units(&self, full: &Full) -> u32 {
        full.0.min(self.octets).div_ceil(UNIT) as u32
    }
}

impl Due {
    /// An answer that takes no share.
    ///
    /// # Errors
    /// Where it is too large for that.
    pub(super) fn small(octets: BytesMut) -> Result<Self, Full> {
        match octets.len() {
            size if size > SMALL => Err(Full(size)),
            _ => Ok(octets.into()),
        }
    }

    /// Whether others may wait for what it holds.
    pub(super) fn has_share(&self) -> bool {
        self.share.is_some()
    }
}

impl From<BytesMut> for Due {
    /// An answer that takes no share: one that is small, or that waits for its turn to be made.
    fn from(octets: BytesMut) -> Self {
        Self {
            octets,
            share: None,
        }
    }
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (octets, room) = (self.0, KEPT >> 20);
        write!(
            f,
            "an answer of {octets} octets, and those that clients do not read hold {room} MiB, which is \
             the limit; ask for less at once"
        )
    }
}
