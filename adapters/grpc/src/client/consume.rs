//! Consuming over a stream.

use futures::StreamExt as _;
use standpipe_core::{
    Error, ErrorKind, Result,
    driver::{Consumer, Settler},
    session::{
        CHANNEL_DEPTH, Event, Open,
        client::{EventSink, client_consumer},
    },
};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::{connect::Client, guarded};
use crate::{
    codec::{event_from_proto, open_to_proto, request_to_proto, status_to_error},
    proto::{self, subscribe_request::Request as Kind},
};

pub(super) async fn consumer(
    mut client: Client,
    open: Open,
    window: Option<u32>,
) -> Result<(Box<dyn Consumer>, Box<dyn Settler>)> {
    let (sender, requests) = mpsc::channel(CHANNEL_DEPTH);
    let first = proto::SubscribeRequest {
        request: Some(Kind::Open(open_to_proto(&open))),
    };
    let requests = ReceiverStream::new(requests).map(request_to_proto);
    let requests = futures::stream::once(std::future::ready(first)).chain(requests);
    let called = client.subscribe(requests).await;
    let called = called.map_err(|status| status_to_error("subscribe", &status))?;
    let mut deliveries = called.into_inner();
    if !matches!(next(&mut deliveries).await?, Event::Opened(_)) {
        let message = "the broker did not answer that the subscription is open";
        return Err(Error::new(ErrorKind::Invalid, "subscribe", message));
    }
    let (feed, fed) = oneshot::channel();
    let guard = guarded(async move {
        let Ok(sink) = fed.await else { return };
        hand_on(deliveries, sink).await;
    });
    let (consumer, settler, sink) = client_consumer(&open, window, sender, guard);
    let _ = feed.send(sink);
    Ok((Box::new(consumer), Box::new(settler)))
}

async fn hand_on(mut deliveries: Streaming<proto::Delivery>, sink: EventSink) {
    loop {
        match next(&mut deliveries).await {
            Ok(event) => sink.event(event),
            Err(error) => return sink.closed(error),
        }
    }
}

async fn next(deliveries: &mut Streaming<proto::Delivery>) -> Result<Event> {
    match deliveries.next().await {
        Some(Ok(delivery)) => event_from_proto(delivery),
        Some(Err(status)) => Err(status_to_error("subscribe", &status)),
        None => {
            let message = "the broker ended the stream";
            Err(Error::new(ErrorKind::Disconnected, "subscribe", message))
        }
    }
}
