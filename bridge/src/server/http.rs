//! Health and metrics over HTTP/1.1: three pages, GET only, one request a connection.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
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
const CONNECTIONS: usize = 64;
const REQUEST_TIME: Duration = Duration::from_secs(10);

/// Serves until `shutdown`; a connection that is open then is dropped.
pub(crate) async fn serve(
    listener: TcpListener,
    pages: Arc<dyn Pages>,
    shutdown: CancellationToken,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
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
                let answer = answer(stream, Arc::clone(&pages));
                tokio::spawn(async move {
                    let _permit = permit;
                    let end = tokio::time::timeout(REQUEST_TIME, answer).await;
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

async fn answer(mut stream: TcpStream, pages: Arc<dyn Pages>) -> std::io::Result<()> {
    let response = match request(&mut stream).await? {
        Some(line) => respond(&line, pages.as_ref()),
        None => page(
            "431 Request Header Fields Too Large",
            "the request is too long\n",
        ),
    };
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await
}

/// The request's first line, once its head is whole; `None` above the limit.
async fn request(stream: &mut TcpStream) -> std::io::Result<Option<String>> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > REQUEST_BYTES {
            return Ok(None);
        }
        if stream.read_buf(&mut head).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    Ok(Some(String::from_utf8_lossy(line).into_owned()))
}

fn respond(line: &str, pages: &dyn Pages) -> String {
    let mut words = line.split(' ');
    let (method, target) = (words.next(), words.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default();
    match (method, path) {
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
    use super::*;

    struct Fixed(bool);

    impl Pages for Fixed {
        fn is_ready(&self) -> bool {
            self.0
        }

        fn metrics(&self) -> String {
            "standpipe_topics 3\n".to_owned()
        }
    }

    async fn ask(request: &[u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve(listener, Arc::new(Fixed(false)), stop.clone()));
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(request).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        stop.cancel();
        server.await.unwrap();
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
}
