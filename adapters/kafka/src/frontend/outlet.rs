//! How many octets of answers are held at once until they are written, all connections together.

use std::{fmt, future::Future, sync::Arc};

use bytes::BytesMut;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Answers up to this size are not counted: connections are, and each holds few of them. That is a
/// fetch's 1 MiB and what is told beside it.
const SMALL: usize = 2 << 20;
/// Octets of those that are larger; one that is larger than all of it waits until it is alone.
const ROOM: usize = 256 << 20;
const UNIT: usize = 1 << 10;

/// Room for large answers; first come, first served.
#[derive(Debug)]
pub(super) struct Outlet(Arc<Semaphore>);

/// An answer that is due, and its share of the room until it is written.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) octets: BytesMut,
    _share: Option<OwnedSemaphorePermit>,
}

/// There is no room for an answer of so many octets.
#[derive(Debug)]
pub(super) struct Full(usize);

impl Default for Outlet {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ROOM / UNIT)))
    }
}

impl Outlet {
    /// Makes an answer. One that has no room goes, waits until there is as much, and is made anew:
    /// what waits holds nothing, however many there are. Cancel-safe where `make` is.
    ///
    /// # Errors
    /// Those of `make`.
    pub(super) async fn make<F, E>(&self, make: impl Fn() -> F) -> Result<Due, E>
    where
        F: Future<Output = Result<BytesMut, E>>,
    {
        let full = match self.take(make().await?) {
            Ok(due) => return Ok(due),
            Err(full) => full,
        };
        let share = self.0.clone().acquire_many_owned(full.units()).await;
        let share = share.expect("the semaphore is never closed");
        let octets = make().await?;
        Ok(Due {
            octets,
            _share: Some(share),
        })
    }

    /// Takes an answer that cannot be made anew.
    ///
    /// # Errors
    /// Where there is no room for it.
    pub(super) fn take(&self, octets: BytesMut) -> Result<Due, Full> {
        if octets.len() <= SMALL {
            return Ok(octets.into());
        }
        let full = Full(octets.len());
        let share = self.0.clone().try_acquire_many_owned(full.units());
        match share {
            Ok(share) => Ok(Due {
                octets,
                _share: Some(share),
            }),
            Err(_) => Err(full),
        }
    }
}

impl From<BytesMut> for Due {
    /// An answer that takes no share: one that is small, or that waits for its turn to be made.
    fn from(octets: BytesMut) -> Self {
        Self {
            octets,
            _share: None,
        }
    }
}

impl Full {
    fn units(&self) -> u32 {
        self.0.div_ceil(UNIT).min(ROOM / UNIT) as u32
    }
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (octets, room) = (self.0, ROOM >> 20);
        write!(
            f,
            "an answer of {octets} octets, and those that clients do not read hold {room} MiB, which is \
             the limit; ask for less at once"
        )
    }
}
