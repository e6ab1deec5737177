//! Around the service: limits on what requests and answers hold, before and after it sees them.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use standpipe_core::frontend::ANSWER_TIME;
use tokio::time::{sleep, timeout};
use tonic::{
    body::Body,
    codegen::{
        BoxFuture, Service,
        http::{Request, Response},
    },
    server::NamedService,
};

use super::{peer::Peer, receiving::metered, service::Answers};
use crate::intake::{Intake, Share, opening};

/// Calls whose answers grow with the broker.
const LARGE: [&str; 2] = [
    "/standpipe.v1.Standpipe/ListTopics",
    "/standpipe.v1.Standpipe/DescribeTopic",
];

/// A service within its limits.
#[derive(Debug, Clone)]
pub(super) struct Guarded<S> {
    service: S,
    intake: Intake,
}

impl<S> Guarded<S> {
    pub(super) fn new(service: S) -> Self {
        Self {
            service,
            intake: Intake::default(),
        }
    }
}

impl<S: NamedService> NamedService for Guarded<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Guarded<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Response<Body>, Infallible>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let peer = request.extensions().get::<Peer>().cloned();
        let peer = peer.expect("each of our connections has one");
        let share = Arc::new(self.intake.share());
        let origin = Origin {
            peer: peer.clone(),
            share: share.clone(),
        };
        request.extensions_mut().insert(origin);
        let large = LARGE.contains(&request.uri().path());
        let request = request.map(|body| metered(body, share.clone()));
        let answering = opening(share, self.service.call(request));
        Box::pin(async move {
            if large {
                peer.in_turn(answering).await
            } else {
                answering.await
            }
        })
    }
}

/// Where a call comes from.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    peer: Peer,
    share: Arc<Share>,
}

impl Origin {
    /// Of a call behind the guard.
    pub(super) fn of<T>(request: &tonic::Request<T>) -> Self {
        let origin = request.extensions().get::<Self>();
        origin.expect("the guard put it there").clone()
    }

    /// Closes the connection, and returns, once its client has taken none of `answers` for
    /// [`ANSWER_TIME`] while requests of this call wait that hold room which others may wait for.
    pub(super) async fn unread<T>(&self, answers: &Answers<T>) {
        loop {
            // What the broker itself cannot take yet is not the client's fault: then there is room here.
            let taken = timeout(ANSWER_TIME, answers.reserve()).await.is_ok();
            if taken {
                sleep(ANSWER_TIME).await;
            } else if self.share.holds_room() {
                return self.peer.close();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use standpipe_core::frontend::AnswerTurns;
    use tokio::sync::mpsc;

    use super::*;

    const LONG: std::time::Duration = ANSWER_TIME.saturating_mul(10);

    #[tokio::test(start_paused = true)]
    async fn only_a_client_that_reads_nothing_and_holds_room_is_closed() {
        let origin = Origin {
            peer: Peer::new("peer", AnswerTurns::default()),
            share: Arc::new(Intake::default().share()),
        };
        let (answers, _unread) = mpsc::channel(1);
        origin.share.grow(1 << 20).await;
        let request = origin.share.whole(Bytes::from(vec![0; 1 << 20]));
        assert!(
            timeout(LONG, origin.unread(&answers)).await.is_err(),
            "there is room"
        );
        answers.send(Ok(vec![0_u8])).await.unwrap();
        timeout(LONG, origin.unread(&answers)).await.unwrap();
        timeout(LONG, origin.peer.closing()).await.unwrap();
        drop(request);
        assert!(
            timeout(LONG, origin.unread(&answers)).await.is_err(),
            "nothing is held"
        );
    }
}
