//! Keeping what is leased.

use std::{sync::Arc, time::Duration};

use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::{super::Request, events::Shared};

/// Of a lease: two extensions may be late or lost before it ends.
const PART: u32 = 3;
/// A lease of no length must not keep a processor busy.
const SHORTEST: Duration = Duration::from_millis(1);

/// Extends all that a client holds until it is dropped or the stream ends: how long a caller needs
/// for a message says nothing about whether it is still there.
pub(super) struct LeaseKeeper {
    _task: AbortOnDropHandle<()>,
}

impl LeaseKeeper {
    /// Needs a Tokio runtime.
    pub(super) fn new(
        shared: Arc<Shared>,
        requests: mpsc::Sender<Request>,
        lease: Duration,
    ) -> Self {
        let keeping = tokio::spawn(keep(shared, requests, lease));
        Self {
            _task: AbortOnDropHandle::new(keeping),
        }
    }
}

async fn keep(shared: Arc<Shared>, requests: mpsc::Sender<Request>, lease: Duration) {
    let pause = (lease / PART).max(SHORTEST);
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = requests.closed() => return,
        }
        let Some(extensions) = shared.extensions(lease) else {
            return;
        };
        for extension in extensions {
            if requests.send(extension).await.is_err() {
                return;
            }
        }
    }
}
