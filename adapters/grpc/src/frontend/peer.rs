//! The peer of a connection, as its calls see it.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use standpipe_core::frontend::{ANSWER_TIME, AnswerTurn, AnswerTurns};
use tokio::{sync::oneshot, time::timeout};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::{body::Body, codegen::http::Response};

use crate::codec::to_status;

/// Whoever is at the other end of a connection.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    address: Arc<str>,
    /// Its turns at large answers.
    turns: AnswerTurns,
    closing: CancellationToken,
}

impl Peer {
    pub(super) fn new(address: &str, turns: AnswerTurns) -> Self {
        Self {
            address: address.into(),
            turns,
            closing: CancellationToken::new(),
        }
    }

    /// Closes the connection, and ends all its calls: what it was told waits for it, and others wait
    /// for the room that this takes.
    pub(super) fn close(&self) {
        let (peer, seconds) = (&self.address, ANSWER_TIME.as_secs());
        tracing::info!(%peer, seconds, "grpc: connection closed: answers were not read in time");
        self.closing.cancel();
    }

    /// Ready once the connection is to be closed.
    pub(super) fn closing(&self) -> WaitForCancellationFutureOwned {
        self.closing.clone().cancelled_owned()
    }

    /// The answer, once it is its turn. It keeps that until its last octet is written; where this
    /// takes too long, the connection is closed.
    pub(super) async fn in_turn<E>(
        &self,
        answering: impl Future<Output = Result<Response<Body>, E>>,
    ) -> Result<Response<Body>, E> {
        let turn = match self.turns.turn().await {
            Ok(turn) => turn,
            Err(error) => return Ok(to_status(&error).into_http()),
        };
        let response = answering.await?;
        Ok(response.map(|body| self.kept(body, turn)))
    }

    fn kept(&self, body: Body, turn: AnswerTurn) -> Body {
        let (unwritten, written) = oneshot::channel::<()>();
        let kept = Arc::new(Kept {
            _turn: turn,
            _unwritten: unwritten,
        });
        let peer = self.clone();
        tokio::spawn(async move {
            // Nothing is ever sent: the last octets take the sender with them.
            if timeout(ANSWER_TIME, written).await.is_err() {
                peer.close();
            }
        });
        let keeping = move |octets: Bytes| {
            Bytes::from_owner(Part {
                octets,
                _kept: kept.clone(),
            })
        };
        Body::new(body.map_frame(move |frame| frame.map_data(&keeping)))
    }
}

/// What an answer has until it is written.
struct Kept {
    _turn: AnswerTurn,
    _unwritten: oneshot::Sender<()>,
}

/// Octets of an answer, wherever they wait to be written.
struct Part {
    octets: Bytes,
    _kept: Arc<Kept>,
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.octets
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::FutureExt as _;
    use tonic::service::AxumBody;

    use super::*;

    async fn answered(peer: &Peer) -> Body {
        let body = Body::new(AxumBody::from("list"));
        let answering = async { Ok::<_, Infallible>(Response::new(body)) };
        peer.in_turn(answering).await.unwrap().into_body()
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_not_read_closes_its_connection() {
        let peer = Peer::new("peer", AnswerTurns::default());
        let unread = answered(&peer).await.frame().await.unwrap().unwrap();
        assert!(answered(&peer).now_or_never().is_none());
        peer.closing().await;
        drop(unread);
        answered(&peer).await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_read_leaves_its_connection_open() {
        let peer = Peer::new("peer", AnswerTurns::default());
        let mut body = answered(&peer).await;
        let octets = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(octets, "list");
        drop((octets, body));
        let closed = timeout(2 * ANSWER_TIME, peer.closing()).await;
        assert!(closed.is_err());
    }
}
