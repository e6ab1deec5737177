//! Takes from the source as far as the memory budget goes.

use std::{num::NonZeroUsize, sync::Arc};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    budget::{Budget, EACH, cost},
    counts::Counts,
    settings::Limits,
};
use crate::{
    driver::{Consumer, Incoming, ReceiveLimit},
    error::{ErrorKind, Result},
};

/// Reads batches into `out` until the end, an error, or `stop`; then hands the consumer back, so
/// that it can be closed once everything is settled.
pub(super) async fn read(
    mut consumer: Box<dyn Consumer>,
    out: mpsc::Sender<Vec<Incoming>>,
    budget: Arc<Budget>,
    counts: Arc<Counts>,
    limits: Limits,
    stop: CancellationToken,
) -> (Box<dyn Consumer>, Result<()>) {
    loop {
        let receive = async {
            let bytes = budget.free().await;
            let messages = limits
                .batch
                .min(NonZeroUsize::MIN.saturating_add(bytes / EACH));
            consumer.receive(ReceiveLimit { messages, bytes }).await
        };
        let received = tokio::select! {
            biased;
            () = stop.cancelled() => return (consumer, Ok(())),
            received = receive => received,
        };
        let batch = match received {
            Ok(Some(batch)) => batch,
            Ok(None) => return (consumer, Ok(())),
            Err(error) if error.kind() == ErrorKind::Transient => {
                tracing::warn!(%error, "the source will be asked again");
                tokio::time::sleep(super::Backoff::default().delay(4)).await;
                continue;
            }
            Err(error) => return (consumer, Err(error)),
        };
        counts.received.add(batch.len());
        counts
            .redelivered
            .add(batch.iter().filter(|i| i.attempts > 0).count());
        budget.take(batch.iter().map(|incoming| cost(&incoming.message)).sum());
        if out.send(batch).await.is_err() {
            return (consumer, Ok(()));
        }
    }
}
