//! A publish stream: requests to a session, and its outcomes back.

use std::sync::Arc;

use standpipe_core::{
    broker::Broker,
    session::{self, CHANNEL_DEPTH, Outcome, PublishRequest, REQUEST_DEPTH},
};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::{
    answers::{Answers, Batch},
    guard::Origin,
    reading::Reading,
    service::next,
    unanswered::Held,
};
use crate::{
    codec::{outcome_to_proto, publish_from_proto, to_status},
    proto,
};

/// Serves one stream. What was taken before it ends is answered, then the reason is given.
pub(super) async fn serve(
    broker: Broker,
    stream: Streaming<proto::PublishRequest>,
    answers: Answers<proto::PublishResult>,
    origin: Origin,
    shutdown: CancellationToken,
) {
    let unanswered = origin.unanswered();
    let reading = Arc::<Reading>::default();
    let stuck = origin.stuck(&reading, || unanswered.is_full());
    tokio::pin!(stuck);
    tokio::select! {
        () = run(broker, stream, (&answers, &reading), &origin, shutdown) => {}
        () = origin.unread(&answers, || unanswered.is_full()) => return,
        () = &mut stuck => return,
    }
    // The stream ends with this; what is on its way is watched until it was taken.
    drop(answers);
    tokio::select! {
        () = reading.emptied() => {}
        () = stuck => {}
    }
}

async fn run(
    broker: Broker,
    stream: Streaming<proto::PublishRequest>,
    (answers, reading): (&Answers<proto::PublishResult>, &Arc<Reading>),
    origin: &Origin,
    shutdown: CancellationToken,
) {
    let (sender, requests) = mpsc::channel(REQUEST_DEPTH);
    let (outcomes, receiver) = mpsc::channel(CHANNEL_DEPTH);
    let held = Held::default();
    let (read, published, ()) = tokio::join!(
        read(origin.admit(stream), sender, &held, shutdown),
        session::publish(&broker, requests, outcomes),
        answer(receiver, &held, (answers, reading)),
    );
    let published = published.map_err(|error| to_status(&error));
    if let Err(status) = published.and(read) {
        let _ = answers.send(Err(status)).await;
    }
}

/// A request, and the room that it was decoded in.
type Admitted = (proto::PublishRequest, OwnedSemaphorePermit);

async fn read(
    mut stream: impl Stream<Item = Result<Admitted, Status>> + Unpin,
    requests: mpsc::Sender<PublishRequest>,
    held: &Held,
    shutdown: CancellationToken,
) -> Result<(), Status> {
    while let Some((request, room)) = next(&mut stream, requests.closed(), &shutdown).await? {
        let request = publish_from_proto(request).map_err(|error| to_status(&error))?;
        held.keep(room, request.messages.len());
        if requests.send(request).await.is_err() {
            break;
        }
    }
    Ok(())
}

async fn answer(
    mut outcomes: mpsc::Receiver<Vec<Outcome>>,
    held: &Held,
    (answers, reading): (&Answers<proto::PublishResult>, &Arc<Reading>),
) {
    loop {
        let answered = tokio::select! {
            answered = outcomes.recv() => answered,
            () = answers.closed() => return,
        };
        let Some(answered) = answered else { return };
        let room = held.release(answered.len());
        let results = answered.into_iter().map(outcome_to_proto).collect();
        let batch = Batch::counted(results, room, reading);
        if answers.send(Ok(batch)).await.is_err() {
            return;
        }
    }
}
