//! Connections that have said that they speak HTTP/2. Those that do not in time are closed.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use standpipe_core::frontend::AnswerTurns;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::Connected;

use super::peer::Peer;

/// What a client's first octets are (RFC 9113, section 3.4).
const PREFACE: [u8; 24] = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// From accept to the preface.
const PREFACE_DEADLINE: Duration = Duration::from_secs(10);
/// Before the next try, when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts until `shutdown`; as many as `connections` at once, those without a preface included.
pub(super) fn incoming(
    listener: TcpListener,
    connections: usize,
    shutdown: CancellationToken,
) -> impl Stream<Item = io::Result<Connection>> {
    let (sender, receiver) = mpsc::channel(16);
    tokio::spawn(async move {
        tokio::select! {
            () = accept(listener, connections, sender) => {}
            () = shutdown.cancelled() => {}
        }
    });
    ReceiverStream::new(receiver)
}

async fn accept(
    listener: TcpListener,
    connections: usize,
    sender: mpsc::Sender<io::Result<Connection>>,
) {
    let room = Arc::new(Semaphore::new(connections));
    let turns = AnswerTurns::default();
    while let Ok(permit) = room.clone().acquire_owned().await {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "grpc: a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (sender, turns) = (sender.clone(), turns.of_connection());
        tokio::spawn(async move {
            if let Some(connection) = greet(stream, turns, permit).await {
                let _ = sender.send(Ok(connection)).await;
            }
        });
    }
}

/// Reads the preface; what is not one is closed, and logged.
async fn greet(
    mut stream: TcpStream,
    turns: AnswerTurns,
    room: OwnedSemaphorePermit,
) -> Option<Connection> {
    let peer = stream
        .peer_addr()
        .map_or_else(|_| String::new(), |peer| peer.to_string());
    let mut preface = [0; PREFACE.len()];
    let reading = tokio::time::timeout(PREFACE_DEADLINE, stream.read_exact(&mut preface));
    match reading.await {
        Ok(Ok(_)) if preface == PREFACE => {
            let _ = stream.set_nodelay(true);
            let peer = Peer::new(&peer, turns);
            return Some(Connection {
                stream,
                replayed: 0,
                closing: Box::pin(peer.closing()),
                peer,
                _room: room,
            });
        }
        Ok(Ok(_)) => tracing::info!(%peer, "grpc: connection closed: this is not HTTP/2"),
        Ok(Err(error)) => tracing::info!(%peer, %error, "grpc: connection closed"),
        Err(_) => {
            let seconds = PREFACE_DEADLINE.as_secs();
            tracing::info!(%peer, seconds, "grpc: connection closed: no preface in time");
        }
    }
    None
}

/// A connection whose preface was read, and is read once more by the server.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    replayed: usize,
    peer: Peer,
    closing: Pin<Box<WaitForCancellationFutureOwned>>,
    _room: OwnedSemaphorePermit,
}

impl Connection {
    /// # Errors
    /// Once the connection is to be closed.
    fn poll_closing(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.closing.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_closing(context)?;
        let rest = &PREFACE[self.replayed..];
        if rest.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..count]);
        self.replayed += count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_closing(context)?;
        Pin::new(&mut self.stream).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_closing(context)?;
        Pin::new(&mut self.stream).poll_write_vectored(context, octets)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
