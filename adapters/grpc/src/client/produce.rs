//! Publishing over a stream.

use futures::StreamExt as _;
use standpipe_core::{
    Error, ErrorKind, Result,
    driver::Producer,
    session::{CHANNEL_DEPTH, Destination, Outcome, PublishRequest, client::ClientProducer},
    store::Durability,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::{connect::Client, guarded};
use crate::{
    codec::{outcome_from_proto, publish_to_proto, status_to_error},
    proto,
};

/// Results that are handed on at once.
const RESULTS: usize = 1024;

pub(super) async fn producer(
    mut client: Client,
    destination: Destination,
    durability: Option<Durability>,
) -> Result<Box<dyn Producer>> {
    let (sender, requests) = mpsc::channel(CHANNEL_DEPTH);
    let (outcomes, source) = mpsc::channel(CHANNEL_DEPTH);
    let first = PublishRequest {
        destination: Some(destination),
        durability,
        messages: Vec::new(),
    };
    let requests = ReceiverStream::new(requests);
    let requests = futures::stream::once(std::future::ready(first)).chain(requests);
    let called = client.publish(requests.map(publish_to_proto)).await;
    let results = called.map_err(|status| status_to_error("publish", &status))?;
    let guard = guarded(hand_on(results.into_inner(), outcomes));
    Ok(Box::new(ClientProducer::new(sender, source, guard)))
}

async fn hand_on(
    results: Streaming<proto::PublishResult>,
    outcomes: mpsc::Sender<Result<Vec<Outcome>>>,
) {
    let mut batches = results.ready_chunks(RESULTS);
    let mut end = Error::new(
        ErrorKind::Disconnected,
        "publish",
        "the broker ended the stream",
    );
    while let Some(batch) = batches.next().await {
        let mut answered = Vec::with_capacity(batch.len());
        for result in batch {
            match result {
                Ok(result) => answered.push(outcome_from_proto(result)),
                Err(status) => end = status_to_error("publish", &status),
            }
        }
        if outcomes.send(Ok(answered)).await.is_err() {
            return;
        }
    }
    let _ = outcomes.send(Err(end)).await;
}
