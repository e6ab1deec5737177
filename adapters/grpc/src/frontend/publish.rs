//! A publish stream: requests to a session, and its outcomes back.

use standpipe_core::{
    broker::Broker,
    session::{self, CHANNEL_DEPTH, Outcome, PublishRequest, REQUEST_DEPTH},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::{
    guard::Origin,
    service::{Answers, next},
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
    tokio::select! {
        () = run(broker, stream, &answers, shutdown) => {}
        () = origin.unread(&answers) => {}
    }
}

async fn run(
    broker: Broker,
    stream: Streaming<proto::PublishRequest>,
    answers: &Answers<proto::PublishResult>,
    shutdown: CancellationToken,
) {
    let (sender, requests) = mpsc::channel(REQUEST_DEPTH);
    let (outcomes, receiver) = mpsc::channel(CHANNEL_DEPTH);
    let (read, published, ()) = tokio::join!(
        read(stream, sender, shutdown),
        session::publish(&broker, requests, outcomes),
        answer(receiver, answers),
    );
    let published = published.map_err(|error| to_status(&error));
    if let Err(status) = published.and(read) {
        let _ = answers.send(Err(status)).await;
    }
}

async fn read(
    mut stream: Streaming<proto::PublishRequest>,
    requests: mpsc::Sender<PublishRequest>,
    shutdown: CancellationToken,
) -> Result<(), Status> {
    while let Some(request) = next(&mut stream, requests.closed(), &shutdown).await? {
        let request = publish_from_proto(request).map_err(|error| to_status(&error))?;
        if requests.send(request).await.is_err() {
            break;
        }
    }
    Ok(())
}

async fn answer(
    mut outcomes: mpsc::Receiver<Vec<Outcome>>,
    answers: &Answers<proto::PublishResult>,
) {
    loop {
        let answered = tokio::select! {
            answered = outcomes.recv() => answered,
            () = answers.closed() => return,
        };
        let Some(answered) = answered else { return };
        let results = answered.into_iter().map(outcome_to_proto).collect();
        if answers.send(Ok(results)).await.is_err() {
            return;
        }
    }
}
