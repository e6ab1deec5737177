//! Publishing over a connection.

use standpipe_core::{
    Error, ErrorKind, Result,
    driver::Producer,
    session::{CHANNEL_DEPTH, Destination, Outcome, PublishRequest, client::ClientProducer},
    store::Durability,
};
use tokio::sync::mpsc;

use super::{
    connect::{Wire, WireReceiver, WireSender},
    guarded,
};
use crate::codec::{ClientFrame, ServerFrame};

/// Octets that are put together before they are written.
const WRITE_BYTES: usize = 256 << 10;

type Outcomes = mpsc::Sender<Result<Vec<Outcome>>>;

pub(super) fn producer(
    wire: Wire,
    destination: Destination,
    durability: Option<Durability>,
) -> Box<dyn Producer> {
    let (sender, requests) = mpsc::channel(CHANNEL_DEPTH);
    let (outcomes, source) = mpsc::channel(CHANNEL_DEPTH);
    let first = PublishRequest {
        destination: Some(destination),
        durability,
        messages: Vec::new(),
    };
    let guard = guarded(async move {
        let Wire {
            receiver,
            sender,
            message_limit,
        } = wire;
        let sending = send(sender, first, requests, message_limit, outcomes.clone());
        let receiving = receive(receiver, outcomes.clone());
        let end = tokio::select! {
            Err(error) = sending => error,
            error = receiving => error,
        };
        let _ = outcomes.send(Err(end)).await;
    });
    Box::new(ClientProducer::new(sender, source, guard))
}

async fn send(
    mut wire: WireSender,
    first: PublishRequest,
    mut requests: mpsc::Receiver<PublishRequest>,
    limit: usize,
    outcomes: Outcomes,
) -> Result<()> {
    wire.put(&ClientFrame::Publish(first));
    while let Some(request) = requests.recv().await {
        let mut next = Some(request);
        while let Some(request) = next.take() {
            let (fitting, refused) = within(request, limit);
            wire.put(&ClientFrame::Publish(fitting));
            if !refused.is_empty() && outcomes.send(Ok(refused)).await.is_err() {
                return Ok(());
            }
            if wire.waiting() < WRITE_BYTES {
                next = requests.try_recv().ok();
            }
        }
        wire.flush().await?;
    }
    // The producer is closed; what is under way is answered by the other half.
    std::future::pending().await
}

/// What the broker would have to end the connection for is refused here.
fn within(mut request: PublishRequest, limit: usize) -> (PublishRequest, Vec<Outcome>) {
    let mut refused = Vec::new();
    request.messages.retain(|publication| {
        let size = publication.message.size();
        if size > limit {
            let message = format!("a message of {size} octets; the broker's limit is {limit}");
            refused.push(Outcome {
                sequence: publication.sequence,
                result: Err(Error::new(ErrorKind::TooLarge, "publish", message)),
            });
        }
        size <= limit
    });
    (request, refused)
}

/// Hands outcomes on until the connection ends, and says why.
async fn receive(mut wire: WireReceiver, outcomes: Outcomes) -> Error {
    loop {
        match wire.next().await {
            Ok(ServerFrame::Outcomes(answered)) => {
                // Nobody waits any more when this fails; the guard ends the task.
                let _ = outcomes.send(Ok(answered)).await;
            }
            Ok(ServerFrame::Failed(error)) | Err(error) => return error,
            Ok(_) => {}
        }
    }
}
