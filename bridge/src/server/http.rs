//! Health and metrics over HTTP/1.1: three pages, GET only, one request a connection.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::{future::FutureExt as _, sync::CancellationToken};

/// What the pages say.
pub(crate) trait Pages: Send + Sync + 'static {
    /// Whether clients should be sent here.
    fn is_ready(&self) -> bool;

    /// The metrics, in Prometheus's text format 0.0.4.
    fn metrics(&self) -> String;
}

const REQUEST_BYTES: usize = 8 << 10;
/// From accept to the end of a request's head. Silent connections keep the places of those that ask
/// for health, and an orchestrator ends a broker that does not answer.
const SILENT_TIME: Duration = Duration::from_secs(2);
/// From a head's first octet to its end; and how long a page of metrics waits for its turn.
const HEAD_TIME: Duration = Duration::from_secs(1);
/// From accept to the answer's last octet.
const REQUEST_TIME: Duration = Duration::from_secs(10);
/// Pages of metrics at once: with all topics that there may be, one has a hundred megabytes.
const METRICS_PAGES: usize = 2;

/// Serves so many connections at once, until `shutdown`; one that is open then is dropped.
pub(crate) async fn serve(
    listener: TcpListener,
    pages: Arc<dyn Pages>,
    connections: usize,
    shutdown: CancellationToken,
) {
    let room = Arc::new(Semaphore::new(connections));
    let turns = Arc::new(Semaphore::new(METRICS_PAGES));
    loop {
        let accepted = async {
            let permit = Arc::clone(&room).acquire_owned().await;
            (listener.accept().await, permit)
        };
        let Some((accepted, permit)) = accepted.with_cancellation_token(&shutdown).await else {
            return;
        };
        match accepted {
            Ok((stream, peer)) => {
                let answer = answer(stream, Arc::clone(&pages), Arc::clone(&turns));
                tokio::spawn(async move {
                    let _permit = permit;
                    let end = timeout(REQUEST_TIME, answer).await;
                    if !matches!(end, Ok(Ok(()))) {
                        tracing::debug!(%peer, "an HTTP request was not finished in time");
                    }
                });
            }
            Err(error) => {
                // Out of file descriptors: the next accept would fail at once as well.
                tracing::warn!(%error, "cannot accept an HTTP connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn answer(
    mut stream: TcpStream,
    pages: Arc<dyn Pages>,
    turns: Arc<Semaphore>,
) -> std::io::Result<()> {
    let line = request(&mut stream).await?;
    let large = line.as_deref().is_some_and(is_large);
    // Held until the page is written.
    let turn = if large {
        timeout(HEAD_TIME, turns.acquire()).await.ok()
    } else {
        None
    };
    let response = match line {
        None => page(
            "431 Request Header Fields Too Large",
            "the request is too long\n",
        ),
        Some(_) if large && turn.is_none() => page("503 Service Unavailable", &busy()),
        Some(line) => respond(&line, pages.as_ref()),
    };
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await
}

/// The request's first line, once its head is whole; `None` above the limit.
///
/// # Errors
/// `TimedOut` where it is not whole in time, and the connection's.
async fn request(stream: &mut TcpStream) -> std::io::Result<Option<String>> {
    let mut head = Vec::new();
    let mut latest = Instant::now() + SILENT_TIME;
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > REQUEST_BYTES {
            return Ok(None);
        }
        let silent = head.is_empty();
        if timeout_at(latest, stream.read_buf(&mut head)).await?? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if silent {
            latest = latest.min(Instant::now() + HEAD_TIME);
        }
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    Ok(Some(String::from_utf8_lossy(line).into_owned()))
}

/// Method and path.
fn asked(line: &str) -> (Option<&str>, &str) {
    let mut words = line.split(' ');
    let (method, target) = (words.next(), words.next().unwrap_or_default());
    (method, target.split('?').next().unwrap_or_default())
}

/// Whether the page grows with the broker.
fn is_large(line: &str) -> bool {
    asked(line) == (Some("GET"), "/metrics")
}

fn busy() -> String {
    format!("{METRICS_PAGES} clients read the metrics already, which is the limit; ask again\n")
}

fn respond(line: &str, pages: &dyn Pages) -> String {
    match asked(line) {
        (Some("GET"), "/healthz") => page("200 OK", "ok\n"),
        (Some("GET"), "/readyz") if pages.is_ready() => page("200 OK", "ready\n"),
        (Some("GET"), "/readyz") => page("503 Service Unavailable", "not ready\n"),
        (Some("GET"), "/metrics") => page("200 OK", &pages.metrics()),
        (Some("GET"), _) => page("404 Not Found", "known: /healthz, /readyz, /metrics\n"),
        _ => page("405 Method Not Allowed", "only GET\n"),
    }
}

fn page(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\n\r\n";
    const METRICS: &[u8] = b"GET /metrics HTTP/1.1\r\n\r\n";

    struct Fixed(bool);

    impl Pages for Fixed {
        fn is_ready(&self) -> bool {
            self.0
        }

        fn metrics(&self) -> String {
            "standpipe_topics 3\n".to_owned()
        }
    }

    const CONNECTIONS: usize = 64;

    async fn ask(request: &[u8]) -> String {
        let (address, stop) = start(Fixed(false)).await;
        let answer = ask_at(address, request).await;
        stop.cancel();
        answer
    }

    async fn start(pages: impl Pages) -> (SocketAddr, CancellationToken) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(serve(listener, Arc::new(pages), CONNECTIONS, stop.clone()));
        (address, stop)
    }

    async fn ask_at(address: SocketAddr, request: &[u8]) -> String {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(request).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn pages_answer_and_nothing_else_does() {
        let metrics = ask(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(metrics.starts_with("HTTP/1.1 200 OK"), "{metrics}");
        assert!(metrics.ends_with("\r\n\r\nstandpipe_topics 3\n"));
        let ready = ask(b"GET /readyz HTTP/1.1\r\n\r\n").await;
        assert!(ready.starts_with("HTTP/1.1 503"), "{ready}");
        let posted = ask(b"POST /metrics HTTP/1.1\r\n\r\n").await;
        assert!(posted.starts_with("HTTP/1.1 405"), "{posted}");
    }

    #[tokio::test]
    async fn an_endless_head_is_refused() {
        let answer = ask(&[b'x'; REQUEST_BYTES + 1]).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }

    #[tokio::test(start_paused = true)]
    async fn connections_that_are_silent_or_slow_leave_their_places_to_others() {
        for part in ["", "GET /h"] {
            let (address, _stop) = start(Fixed(true)).await;
            let before = Instant::now();
            let mut silent = Vec::new();
            for _ in 0..CONNECTIONS {
                let mut client = TcpStream::connect(address).await.unwrap();
                client.write_all(part.as_bytes()).await.unwrap();
                silent.push(client);
            }
            let answer = ask_at(address, HEALTH).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            let waited = before.elapsed();
            assert!(waited < REQUEST_TIME / 2, "{waited:?}");
        }
    }

    /// Metrics that fit no socket.
    struct Large;

    impl Pages for Large {
        fn is_ready(&self) -> bool {
            true
        }

        fn metrics(&self) -> String {
            "#".repeat(32 << 20)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn metrics_that_are_not_read_are_not_made_again_and_again() {
        let (address, _stop) = start(Large).await;
        let mut unread = Vec::new();
        for _ in 0..METRICS_PAGES {
            let mut client = TcpStream::connect(address).await.unwrap();
            client.write_all(METRICS).await.unwrap();
            client.read_u8().await.unwrap();
            unread.push(client);
        }
        let refused = ask_at(address, METRICS).await;
        assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
        assert!(refused.contains("which is the limit"), "{refused}");
        let health = ask_at(address, HEALTH).await;
        assert!(health.starts_with("HTTP/1.1 200"), "{health}");
    }
}
