//! The broker in this process: the same sessions, without a wire.

use std::future::Future;

use standpipe_core::{
    Error, ErrorKind, Result,
    broker::Broker,
    driver::{Consumer, Producer, Settler},
    session::{
        self, CHANNEL_DEPTH, Destination, Event, Open, PublishRequest,
        client::{ClientProducer, client_consumer},
    },
    store::Durability,
};
use tokio::sync::mpsc;

use super::{disconnected, guarded};

pub(super) fn producer(
    broker: &Broker,
    destination: Destination,
    durability: Option<Durability>,
) -> Box<dyn Producer> {
    let (sender, mut asked) = mpsc::channel::<PublishRequest>(CHANNEL_DEPTH);
    let (requests, receiver) = mpsc::channel(CHANNEL_DEPTH);
    let (answered, mut answers) = mpsc::channel(CHANNEL_DEPTH);
    let (outcomes, source) = mpsc::channel(CHANNEL_DEPTH);
    let broker = broker.clone();
    let guard = guarded(async move {
        let naming = async move {
            let mut destination = Some(destination);
            while let Some(mut request) = asked.recv().await {
                request.destination = destination.take();
                request.durability = durability;
                if requests.send(request).await.is_err() {
                    break;
                }
            }
        };
        let answering = async {
            while let Some(answer) = answers.recv().await {
                let _ = outcomes.send(Ok(answer)).await;
            }
        };
        let publishing = session::publish(&broker, receiver, answered);
        let ((), (), end) = tokio::join!(naming, answering, publishing);
        let gone = || disconnected("send", "the broker is gone");
        let _ = outcomes.send(Err(end.err().unwrap_or_else(gone))).await;
    });
    Box::new(ClientProducer::new(sender, source, guard))
}

pub(super) async fn consumer(
    broker: &Broker,
    open: Open,
    window: Option<u32>,
) -> Result<(Box<dyn Consumer>, Box<dyn Settler>)> {
    let (requests, receiver) = mpsc::channel(CHANNEL_DEPTH);
    let (sender, mut events) = mpsc::channel(CHANNEL_DEPTH);
    let (broker, opening) = (broker.clone(), open.clone());
    let mut running =
        Box::pin(async move { session::subscribe(&broker, opening, receiver, sender).await });
    let first = tokio::select! {
        event = events.recv() => event,
        ended = &mut running => return Err(ended.err().unwrap_or_else(ended_early)),
    };
    let (feed, fed) = tokio::sync::oneshot::channel::<session::client::EventSink>();
    let guard = guarded(async move {
        let Ok(sink) = fed.await else { return };
        let end = pump(first, &mut events, running, &sink).await;
        sink.closed(end);
    });
    let (consumer, settler, sink) = client_consumer(&open, window, requests, guard);
    let _ = feed.send(sink);
    Ok((Box::new(consumer), Box::new(settler)))
}

/// Hands events on until the session ends, and says why.
async fn pump(
    first: Option<Event>,
    events: &mut mpsc::Receiver<Event>,
    mut running: impl Future<Output = Result<()>> + Unpin,
    sink: &session::client::EventSink,
) -> Error {
    if let Some(event) = first {
        sink.event(event);
    }
    let mut end = None;
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => sink.event(event),
                None => return end.unwrap_or_else(ended_early),
            },
            ended = &mut running, if end.is_none() => {
                end = Some(ended.err().unwrap_or_else(ended_early));
            }
        }
    }
}

fn ended_early() -> Error {
    Error::new(
        ErrorKind::Disconnected,
        "subscribe",
        "the subscription has ended",
    )
}
