//! One connection: requests in, answers out, both in order.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    backlog::Backlog,
    dispatch::{Answer, dispatch},
    inbox::Inbox,
    outlet::Due,
    service::{Client, Service},
};
use crate::codec::{Malformed, header::RequestHeader};

/// How long a client may take from connecting to its first whole request.
const FIRST_REQUEST: Duration = Duration::from_secs(10);
/// How long a connection may be without a request, as Kafka's `connections.max.idle.ms`; also how
/// long a client may take over one answer.
const IDLE: Duration = Duration::from_secs(600);
/// How long a client may take nothing of an answer for whose share of the room others may wait.
const STALLED: Duration = Duration::from_secs(60);
/// How long a request may take from its size to its end.
const RECEIVE: Duration = Duration::from_secs(60);
/// How long answers that are due are still sent to a client that has stopped asking.
const FAREWELL: Duration = Duration::from_secs(5);
/// The largest request, as Kafka's `socket.request.max.bytes`.
const REQUEST_LIMIT: usize = 100 << 20;
/// Answers under way on one connection; no further request is read then, nor while what they hold is
/// more than their [`Backlog`] allows.
const PIPELINE: usize = 32;

/// Why no more requests are read.
enum End {
    /// The client closed the connection.
    Closed,
    /// The client takes no more answers.
    Unwritable,
    /// The broker stops.
    Shutdown,
    /// The client cannot be answered, or did not speak in time.
    Refused(String),
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Closed
    }
}

impl From<Malformed> for End {
    fn from(malformed: Malformed) -> Self {
        Self::Refused(malformed.0)
    }
}

/// Serves a connection until the client closes it, breaks the protocol, or `stop` is cancelled.
pub(super) async fn serve(
    socket: TcpStream,
    peer: SocketAddr,
    service: Arc<Service>,
    stop: CancellationToken,
) {
    let Ok(local) = socket.local_addr() else {
        return;
    };
    let _ = socket.set_nodelay(true);
    let client = Client {
        service,
        local,
        peer,
        gone: stop,
    };
    let (from, to) = socket.into_split();
    talk(from, to, &client).await;
}

/// Serves a client whose requests come from there and whose answers go there, until one of them ends.
pub(super) async fn talk(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    client: &Client,
) {
    let peer = client.peer;
    let backlog = Backlog::default();
    let (answers, due) = mpsc::channel(PIPELINE);
    let mut writing = std::pin::pin!(write(&mut to, due, &backlog));
    let end = tokio::select! {
        end = read(&mut from, client, answers, &backlog) => end,
        () = &mut writing => End::Unwritable,
    };
    client.gone.cancel();
    match end {
        End::Unwritable => {
            tracing::debug!(%peer, "kafka client takes no answers");
            return;
        }
        End::Closed => tracing::debug!(%peer, "kafka client left"),
        End::Shutdown => {}
        End::Refused(reason) => tracing::warn!(%peer, %reason, "kafka connection closed"),
    }
    let _ = timeout(FAREWELL, writing).await;
}

async fn read(
    from: &mut (impl AsyncRead + Unpin),
    client: &Client,
    answers: mpsc::Sender<Answer>,
    backlog: &Backlog,
) -> End {
    let mut inbox = Inbox::new(from);
    let mut patience = FIRST_REQUEST;
    loop {
        let next = async {
            backlog.has_room().await;
            next_answer(&mut inbox, client, patience).await
        };
        let answer = tokio::select! {
            answer = next => answer,
            () = client.gone.cancelled() => Err(End::Shutdown),
        };
        match answer {
            Ok(Answer::Nothing) => {}
            Ok(answer) => {
                backlog.add(answer.held());
                let sent = tokio::select! {
                    sent = answers.send(answer) => sent,
                    () = client.gone.cancelled() => return End::Shutdown,
                };
                if sent.is_err() {
                    return End::Closed;
                }
            }
            Err(end) => return end,
        }
        patience = IDLE;
    }
}

/// Receives one request and acts on it.
async fn next_answer(
    inbox: &mut Inbox<impl AsyncRead + Unpin>,
    client: &Client,
    patience: Duration,
) -> Result<Answer, End> {
    let late =
        |what: &str, time: Duration| End::Refused(format!("no {what} within {} s", time.as_secs()));
    let begun = Instant::now();
    let size = timeout(patience, inbox.size()).await;
    let size = size.map_err(|_| late("request", patience))??;
    let size = usize::try_from(size)
        .ok()
        .filter(|size| *size <= REQUEST_LIMIT)
        .ok_or_else(|| End::Refused(format!("a request of {size} octets")))?;
    let room = if patience == FIRST_REQUEST {
        patience.saturating_sub(begun.elapsed())
    } else {
        RECEIVE
    };
    // Held until the request is done with.
    let mut share = client.service.intake().share();
    let request = inbox.request(size, room, &mut share).await;
    let request = request.map_err(|_| late("whole request", room))??;
    let (header, body) = RequestHeader::read(request)?;
    let (key, version) = (header.key, header.version);
    dispatch(client, header, body)
        .await
        .map_err(|Malformed(reason)| End::Refused(format!("{key:?} version {version}: {reason}")))
}

async fn write(
    to: &mut (impl AsyncWrite + Unpin),
    mut answers: mpsc::Receiver<Answer>,
    backlog: &Backlog,
) {
    while let Some(answer) = answers.recv().await {
        let mut held = answer.held();
        let mut due = match answer {
            Answer::Now(due) => due,
            Answer::Later { due, .. } => {
                let due = due.await;
                backlog.add(due.octets.len());
                held += due.octets.len();
                due
            }
            Answer::Nothing => continue,
        };
        if let Err(error) = put(to, &mut due).await {
            if error.kind() == io::ErrorKind::TimedOut {
                let (stalled, whole) = (STALLED.as_secs(), IDLE.as_secs());
                tracing::warn!(
                    "a kafka client took not all of an answer in {whole} s, or nothing of a large one \
                     for {stalled} s, and is closed"
                );
            }
            return;
        }
        drop(due);
        backlog.take_off(held);
    }
}

/// Writes an answer to a client that takes it.
async fn put(to: &mut (impl AsyncWrite + Unpin), due: &mut Due) -> io::Result<()> {
    let end = Instant::now() + IDLE;
    while !due.octets.is_empty() {
        let patience = match due.has_share() {
            true => end.min(Instant::now() + STALLED),
            false => end,
        };
        if timeout_at(patience, to.write_buf(&mut due.octets)).await?? == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
    }
    Ok(())
}
