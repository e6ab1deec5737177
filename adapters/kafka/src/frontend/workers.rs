//! Work on batches that would hold up other connections.

use std::{sync::Arc, thread::available_parallelism};

use tokio::{
    sync::Semaphore,
    task::{JoinError, spawn_blocking, yield_now},
};

use crate::codec::records::is_compressed;

/// Batches up to this size are read where they are; larger ones hold up nobody else.
const AT_ONCE: usize = 256 << 10;
/// The same of those that are compressed: a change of threads takes longer than they do.
const PACKED: usize = 64 << 10;
/// What may come out of one of these, or it is for the workers after all.
const UNPACKED: usize = 1 << 20;

/// Whether reading a batch is for the workers: it is large, or what comes out of it may be.
pub(super) fn is_heavy(batch: &[u8]) -> bool {
    batch.len() > AT_ONCE || is_compressed(batch)
}

/// Reads a batch that is heavy where it is, if it is small and so is what comes out of it: `read` is given
/// the limit of that, and answers `None` beyond. Others have the thread before, since a request may have
/// many. `None` is for the workers. Cancel-safe.
pub(super) async fn read_here<T>(batch: &[u8], read: impl FnOnce(usize) -> Option<T>) -> Option<T> {
    if batch.len() > PACKED {
        return None;
    }
    yield_now().await;
    read(UNPACKED)
}

/// As much work at once as there are processors: what a batch decompresses to is held meanwhile.
#[derive(Debug)]
pub(super) struct Workers(Arc<Semaphore>);

impl Default for Workers {
    fn default() -> Self {
        let processors = available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Semaphore::new(processors)))
    }
}

impl Workers {
    /// Does it on a thread of its own, when its turn has come. Work that has begun ends, though
    /// nobody waits for it any more.
    ///
    /// # Errors
    /// Where the work panicked.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        let place = self.0.clone().acquire_owned().await;
        let place = place.expect("the semaphore is never closed");
        let working = spawn_blocking(move || {
            let done = work();
            drop(place);
            done
        });
        working.await
    }
}
