//! The peer of a connection, as its calls see it.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use standpipe_core::frontend::{ANSWER_TIME, AnswerTurn, AnswerTurns};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::{Status, body::Body, codegen::http::Response};

use super::unanswered::Unanswered;
use crate::codec::to_status;

/// Whoever is at the other end of a connection.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    address: Arc<str>,
    /// Its turns at large answers.
    turns: AnswerTurns,
    unanswered: Unanswered,
    closing: CancellationToken,
}

impl Peer {
    pub(super) fn new(address: &str, turns: AnswerTurns) -> Self {
        Self {
            address: address.into(),
            turns,
            unanswered: Unanswered::default(),
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

    pub(super) fn unanswered(&self) -> &Unanswered {
        &self.unanswered
    }

    pub(super) async fn turn(&self) -> Result<AnswerTurn, Status> {
        let turn = self.turns.turn().await;
        turn.map_err(|error| to_status(&error))
    }

    /// An answer that keeps its turn until its last octet is written; where this takes too long, the
    /// connection is closed.
    pub(super) fn in_turn<T>(&self, answer: T, turn: AnswerTurn) -> tonic::Response<T> {
        let peer = self.clone();
        let turn = turn.watched(move || peer.close());
        let mut response = tonic::Response::new(answer);
        response.extensions_mut().insert(Arc::new(turn));
        response
    }
}

/// The same answer; where it has a turn, its octets have it from here on.
pub(super) fn keeping(mut response: Response<Body>) -> Response<Body> {
    let turn = response.extensions_mut().remove::<Arc<AnswerTurn>>();
    let Some(turn) = turn else {
        return response;
    };
    let keeping = move |octets: Bytes| {
        Bytes::from_owner(Part {
            octets,
            _turn: turn.clone(),
        })
    };
    response.map(|body| Body::new(body.map_frame(move |frame| frame.map_data(&keeping))))
}

/// Octets of an answer, wherever they wait to be written.
struct Part {
    octets: Bytes,
    _turn: Arc<AnswerTurn>,
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.octets
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use tokio::time::timeout;
    use tonic::service::AxumBody;

    use super::*;

    async fn answered(peer: &Peer) -> Body {
        let body = Body::new(AxumBody::from("list"));
        let turn = peer.turn().await.unwrap();
        let (_, body, extensions) = peer.in_turn(body, turn).into_parts();
        let mut response = Response::new(body);
        *response.extensions_mut() = extensions;
        keeping(response).into_body()
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
