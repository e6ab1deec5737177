//! Answers that take many times their octets while they are made, however short their requests are.

use tokio::sync::{Semaphore, SemaphorePermit};

/// How many are made at once of a kind.
const AT_ONCE: usize = 2;

/// Turns to make such an answer; first come, first served. Who has one waits for no client.
#[derive(Debug)]
pub(super) struct Turns {
    described: Semaphore,
    read: Semaphore,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            described: Semaphore::new(AT_ONCE),
            read: Semaphore::new(AT_ONCE),
        }
    }
}

impl Turns {
    /// A turn to tell what is known without the store. Cancel-safe.
    pub(super) async fn described(&self) -> SemaphorePermit<'_> {
        next(&self.described).await
    }

    /// A turn to ask the store, which may be slow: the others do not wait for it. Cancel-safe.
    pub(super) async fn read(&self) -> SemaphorePermit<'_> {
        next(&self.read).await
    }
}

async fn next(turns: &Semaphore) -> SemaphorePermit<'_> {
    let turn = turns.acquire().await;
    turn.expect("the semaphore is never closed")
}
