//! Accepting connections, and letting them end.

use std::{sync::Arc, time::Duration};

use standpipe_core::{Result, broker::Broker, frontend::AnswerTurns};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::connection::{self, Around};

/// How long connections have to end after shutdown.
const GRACE: Duration = Duration::from_secs(5);
/// Before the next try, when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

pub(super) async fn accept(
    listener: TcpListener,
    broker: Broker,
    shutdown: CancellationToken,
) -> Result<()> {
    let room = Arc::new(Semaphore::new(broker.limits().connections));
    let turns = AnswerTurns::default();
    let connections = TaskTracker::new();
    // Cuts what has not ended by itself when the grace is over.
    let cut = CancellationToken::new();
    let _cut_on_return = cut.clone().drop_guard();
    while let Some((stream, permit)) = next(&listener, &room, &shutdown).await {
        let around = Around {
            broker: broker.clone(),
            turns: turns.of_connection(),
            shutdown: shutdown.clone(),
        };
        let cut = cut.clone();
        connections.spawn(async move {
            let _room = permit;
            tokio::select! {
                () = serve(stream, around) => {}
                () = cut.cancelled() => {}
            }
        });
    }
    drop(listener);
    connections.close();
    let _ = tokio::time::timeout(GRACE, connections.wait()).await;
    Ok(())
}

/// The next connection, once there is room for it; `None` at shutdown.
async fn next(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
    shutdown: &CancellationToken,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let accepting = async {
        let permit = room.clone().acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return Some((stream, permit)),
                Err(error) => {
                    tracing::warn!(%error, "native: a connection was not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        accepted = accepting => accepted,
        () = shutdown.cancelled() => None,
    }
}

async fn serve(stream: TcpStream, around: Around) {
    let peer = stream
        .peer_addr()
        .map_or_else(|_| String::new(), |peer| peer.to_string());
    match connection::serve(stream, around).await {
        Ok(()) => tracing::debug!(%peer, "native: connection ended"),
        Err(error) => tracing::info!(%peer, %error, "native: connection closed"),
    }
}
