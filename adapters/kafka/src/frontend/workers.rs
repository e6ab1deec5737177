//! Work on batches that would hold up other connections.

use std::{sync::Arc, thread::available_parallelism};

use tokio::{
    sync::Semaphore,
    task::{JoinError, spawn_blocking},
};

use crate::codec::records::is_compressed;

/// Batches up to this size are read where they are; larger ones hold up nobody else.
const AT_ONCE: usize = 256 << 10;

/// Whether reading a batch is for the workers: it is large, or what comes out of it may be.
pub(super) fn is_heavy(batch: &[u8]) -> bool {
    batch.len() > AT_ONCE || is_compressed(batch)
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
