//! The AMQP 0-9-1 frontend: what RabbitMQ's clients connect to.
//!
//! A connection is one task that reads and acts (`connection`), one that writes (`writer`), one a
//! consumer that carries its deliveries (`pump`), and one a channel in confirm mode (`confirm`).
//! Publish path: `connection` → `channel` → `publish`. Deliver path: `pump` → `deliver` → `output`.

mod blocked;
mod channel;
mod confirm;
mod connection;
mod consume;
mod content;
mod copies;
mod deliver;
mod ending;
mod exchange;
mod farewell;
mod get;
mod handshake;
mod often;
mod output;
mod parked;
mod period;
mod promises;
mod publish;
mod pump;
mod queue;
mod refusal;
mod replies;
mod settle;
mod slot;
mod source;
mod unacked;
mod unfinished;
mod writer;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use standpipe_core::{Result, broker::Broker, frontend::Frontend, keep_alive::keep_alive};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use replies::Replies;

/// How long a client may take from connecting to `connection.open-ok`.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// Connections that may be in their handshake at once; further ones wait to be accepted.
const HALF_OPEN: usize = 4096;
/// How long a client that is not let in waits for its socket to be closed where it is told nothing, so
/// that guessing takes its time; RabbitMQ's `SILENT_CLOSE_DELAY`.
const SILENCE: Duration = Duration::from_secs(3);
/// How long a refused or leaving client has to read what it is told.
const FAREWELL: Duration = Duration::from_secs(5);

/// Serves AMQP 0-9-1 as RabbitMQ speaks it, for user `guest` on virtual host `/`.
#[derive(Debug, Clone, Copy, Default)]
pub struct AmqpFrontend;

#[async_trait]
impl Frontend for AmqpFrontend {
    fn name(&self) -> &'static str {
        "amqp"
    }

    async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        broker: Broker,
        shutdown: CancellationToken,
    ) -> Result<()> {
        let tasks = TaskTracker::new();
        let replies = Arc::new(Replies::default());
        let places = Arc::new(Semaphore::new(broker.limits().connections));
        let half_open = Arc::new(Semaphore::new(HALF_OPEN));
        loop {
            let accepted = tokio::select! {
                accepted = accept(&listener, [&places, &half_open]) => accepted,
                () = shutdown.cancelled() => break,
            };
            match accepted {
                Ok((socket, peer, [place, half_open])) => {
                    let around = (broker.clone(), replies.clone());
                    let connection =
                        connection::serve(socket, peer, around, shutdown.clone(), half_open);
                    tasks.spawn(async move {
                        connection.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    // Out of file descriptors, most likely: others must close before more open.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        tasks.close();
        tasks.wait().await;
        Ok(())
    }
}

type Place = OwnedSemaphorePermit;

/// The next client, once there is a place for it among all connections and among those in their
/// handshake.
async fn accept(
    listener: &TcpListener,
    rooms: [&Arc<Semaphore>; 2],
) -> io::Result<(TcpStream, SocketAddr, [Place; 2])> {
    let [all, half_open] = rooms.map(|room| room.clone().acquire_owned());
    let open = "the semaphores are never closed";
    let places = [all.await.expect(open), half_open.await.expect(open)];
    let (socket, peer) = listener.accept().await?;
    // A client may want no heartbeats: then nothing else notices that it is gone, and its place with it.
    if let Err(error) = keep_alive(&socket) {
        tracing::debug!(%peer, %error, "no TCP keepalive");
    }
    Ok((socket, peer, places))
}

#[cfg(test)]
mod tests {
    use rustix::net::sockopt;

    use super::*;

    #[tokio::test]
    async fn the_system_asks_a_silent_client_whether_it_is_there() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let room = Arc::new(Semaphore::new(2));
        let rooms = [&room, &room];
        let (accepted, client) =
            tokio::join!(accept(&listener, rooms), TcpStream::connect(address));
        let (socket, ..) = accepted.unwrap();
        assert!(sockopt::socket_keepalive(&socket).unwrap());
        drop(client);
    }
}
