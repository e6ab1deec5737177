//! Work on batches that would hold up other connections.

use std::{sync::Arc, thread::available_parallelism};

use tokio::{
    sync::Semaphore,
    task::{JoinError, spawn_blocking},
};

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
