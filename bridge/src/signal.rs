//! The end on request: the first signal asks for a clean stop, the second one forces it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that SIGTERM and SIGINT (Ctrl-C) cancel. A second signal ends the process at once,
/// with 128 and the signal's number, as a shell reports it.
///
/// # Errors
/// Where the handlers cannot be installed.
pub(crate) fn on_stop() -> std::io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    // Not whether it stops: the end of stdin may have come just before the first signal.
    let signalled = Arc::new(AtomicBool::new(false));
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut signals = signal(kind)?;
        let (stop, signalled) = (stop.clone(), signalled.clone());
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                if signalled.swap(true, Ordering::SeqCst) {
                    tracing::warn!("second signal: stopping without a clean end");
                    std::process::exit(128 + kind.as_raw_value());
                }
                tracing::info!("stopping; a second signal forces it");
                stop.cancel();
            }
        });
    }
    Ok(stop)
}
