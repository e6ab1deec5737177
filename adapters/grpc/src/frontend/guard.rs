//! Around the service: limits on what requests and answers hold, before and after it sees them.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use futures::Stream;
use standpipe_core::frontend::{ANSWER_TIME, AnswerTurn};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{sleep, timeout},
};
use tonic::{
    Status,
    body::Body,
    codegen::{
        BoxFuture, Service,
        http::{Request, Response},
    },
    server::NamedService,
};

use super::{
    answers::Answers,
    peer::{Peer, keeping},
    reading::Reading,
    receiving::metered,
    unanswered::Unanswered,
};
use crate::intake::{Intake, Share, opening};

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
            peer,
            share: share.clone(),
        };
        request.extensions_mut().insert(origin);
        let request = request.map(|body| metered(body, share.clone()));
        let answering = opening(share, self.service.call(request));
        Box::pin(async move { answering.await.map(keeping) })
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

    /// Waits for a turn at an answer that grows with the broker: once its request is there, so that
    /// one that does not come keeps nobody waiting.
    pub(super) async fn turn(&self) -> Result<AnswerTurn, Status> {
        self.peer.turn().await
    }

    /// An answer that keeps its turn until it is written.
    pub(super) fn in_turn<T>(&self, answer: T, turn: AnswerTurn) -> tonic::Response<T> {
        self.peer.in_turn(answer, turn)
    }

    /// The room for what its connection publishes.
    pub(super) fn unanswered(&self) -> &Unanswered {
        self.peer.unanswered()
    }

    /// The requests of the call, each with the room for it; see [`Unanswered::admit`].
    pub(super) fn admit<S, T>(
        &self,
        requests: S,
    ) -> impl Stream<Item = Result<(T, OwnedSemaphorePermit), Status>> + Unpin + use<S, T>
    where
        S: Stream<Item = Result<T, Status>> + Unpin,
    {
        let share = self.share.clone();
        let is_coming = move || share.unfinished().is_some();
        self.unanswered().admit(requests, is_coming)
    }

    /// Closes the connection, and returns, once nothing of what is on its way was taken for
    /// [`ANSWER_TIME`] while others wait for the room of it. What was handed on lies in no channel.
    pub(super) async fn stuck(&self, reading: &Reading, is_waited_for: impl Fn() -> bool) {
        loop {
            let before = reading.look();
            sleep(ANSWER_TIME).await;
            if reading.stands_still_since(before) && is_waited_for() {
                return self.peer.close();
            }
        }
    }

    /// Closes the connection, and returns, once its client has taken none of `answers` for
    /// [`ANSWER_TIME`] while requests of this call wait that hold room which others may wait for, or
    /// what it has published is waited for by others.
    pub(super) async fn unread<T>(&self, answers: &Answers<T>, is_waited_for: impl Fn() -> bool) {
        loop {
            // What the broker itself cannot take yet is not the client's fault: then there is room here.
            let taken = timeout(ANSWER_TIME, answers.reserve()).await.is_ok();
            if taken {
                sleep(ANSWER_TIME).await;
            } else if self.share.holds_room() || is_waited_for() {
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
            timeout(LONG, origin.unread(&answers, || false))
                .await
                .is_err(),
            "there is room"
        );
        answers.send(Ok(vec![0_u8].into())).await.unwrap();
        timeout(LONG, origin.unread(&answers, || false))
            .await
            .unwrap();
        timeout(LONG, origin.peer.closing()).await.unwrap();
        drop(request);
        assert!(
            timeout(LONG, origin.unread(&answers, || false))
                .await
                .is_err(),
            "nothing is held"
        );
        timeout(LONG, origin.unread(&answers, || true))
            .await
            .expect("others wait for what it has published");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_of_what_others_wait_for_is_closed() {
        let origin = Origin {
            peer: Peer::new("peer", AnswerTurns::default()),
            share: Arc::new(Intake::default().share()),
        };
        let reading = Arc::<Reading>::default();
        let nothing = origin.stuck(&reading, || true);
        assert!(timeout(LONG, nothing).await.is_err(), "it has nothing");
        let mut sent = reading.send(1_000);
        let alone = origin.stuck(&reading, || false);
        assert!(timeout(LONG, alone).await.is_err(), "nobody waits");
        let taking = async {
            for _ in 0..900 {
                sleep(ANSWER_TIME / 2).await;
                sent.take();
            }
        };
        tokio::select! {
            () = origin.stuck(&reading, || true) => panic!("it takes some"),
            () = taking => {}
        }
        timeout(LONG, origin.stuck(&reading, || true))
            .await
            .unwrap();
        timeout(LONG, origin.peer.closing()).await.unwrap();
    }
}
