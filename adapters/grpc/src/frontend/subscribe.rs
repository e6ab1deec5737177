//! A subscribe stream: requests to a session, and its events back.

use standpipe_core::{
    broker::Broker,
    session::{self, EVENT_DEPTH, Event, Open, REQUEST_DEPTH, Request},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::{answers::Answers, guard::Origin, service::next};
use crate::{
    codec::{event_to_proto, open_from_proto, request_from_proto, to_status},
    proto::{self, subscribe_request::Request as Kind},
};

/// Serves one stream until the session ends, then gives the reason.
pub(super) async fn serve(
    broker: Broker,
    mut stream: Streaming<proto::SubscribeRequest>,
    answers: Answers<proto::Delivery>,
    origin: Origin,
    shutdown: CancellationToken,
) {
    let serving = async {
        let served = match first(&mut stream, &answers, &shutdown).await {
            Ok(Some(open)) => run(broker, open, stream, &answers, shutdown).await,
            Ok(None) => Ok(()),
            Err(status) => Err(status),
        };
        if let Err(status) = served {
            let _ = answers.send(Err(status)).await;
        }
    };
    tokio::select! {
        () = serving => {}
        () = origin.unread(&answers, || false) => {}
    }
}

/// The open; `None` where the client left before.
async fn first(
    stream: &mut Streaming<proto::SubscribeRequest>,
    answers: &Answers<proto::Delivery>,
    shutdown: &CancellationToken,
) -> Result<Option<Open>, Status> {
    let Some(request) = next(stream, answers.closed(), shutdown).await? else {
        return Ok(None);
    };
    match request.request {
        Some(Kind::Open(open)) => {
            let open = open_from_proto(open).map_err(|error| to_status(&error))?;
            Ok(Some(open))
        }
        _ => Err(Status::invalid_argument("the first request must be `open`")),
    }
}

async fn run(
    broker: Broker,
    open: Open,
    stream: Streaming<proto::SubscribeRequest>,
    answers: &Answers<proto::Delivery>,
    shutdown: CancellationToken,
) -> Result<(), Status> {
    let (sender, requests) = mpsc::channel(REQUEST_DEPTH);
    let (events, receiver) = mpsc::channel(EVENT_DEPTH);
    let serving = async {
        let (served, ()) = tokio::join!(
            session::subscribe(&broker, open, requests, events),
            answer(receiver, answers),
        );
        served.map_err(|error| to_status(&error))
    };
    let reading = async {
        // The end of the requests is not the end of the session.
        match read(stream, sender, shutdown).await {
            Ok(()) => std::future::pending().await,
            Err(status) => status,
        }
    };
    tokio::select! {
        served = serving => served,
        status = reading => Err(status),
    }
}

async fn read(
    mut stream: Streaming<proto::SubscribeRequest>,
    requests: mpsc::Sender<Request>,
    shutdown: CancellationToken,
) -> Result<(), Status> {
    while let Some(request) = next(&mut stream, requests.closed(), &shutdown).await? {
        let request = request_from_proto(request).map_err(|error| to_status(&error))?;
        if requests.send(request).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Takes an event only once there is room for it: one less that waits for a client that does not read.
async fn answer(mut events: mpsc::Receiver<Event>, answers: &Answers<proto::Delivery>) {
    while let Ok(room) = answers.reserve().await {
        let event = tokio::select! {
            event = events.recv() => event,
            () = answers.closed() => return,
        };
        let Some(event) = event else { return };
        room.send(Ok(event_to_proto(event).into()));
    }
}
