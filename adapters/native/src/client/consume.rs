//! Consuming over a connection.

use standpipe_core::{
    Error, ErrorKind, Result,
    driver::{Consumer, Settler},
    session::{
        CHANNEL_DEPTH, Event, Open, Request,
        client::{EventSink, client_consumer, from_remote},
    },
};
use tokio::sync::mpsc;

use super::{
    connect::{Wire, WireReceiver, WireSender},
    guarded,
};
use crate::codec::{ClientFrame, ServerFrame};

pub(super) async fn consumer(
    mut wire: Wire,
    open: Open,
    window: Option<u32>,
) -> Result<(Box<dyn Consumer>, Box<dyn Settler>)> {
    wire.sender.send(&ClientFrame::Open(open.clone())).await?;
    match wire.receiver.next().await? {
        ServerFrame::Event(Event::Opened(_)) => {}
        ServerFrame::Failed(error) => return Err(from_remote(error)),
        _ => {
            let message = "the broker did not answer that the subscription is open";
            return Err(Error::new(ErrorKind::Invalid, "subscribe", message));
        }
    }
    let (requests, receiver) = mpsc::channel(CHANNEL_DEPTH);
    let (feed, fed) = tokio::sync::oneshot::channel();
    let guard = guarded(async move {
        let Ok(sink) = fed.await else { return };
        run(wire, receiver, sink).await;
    });
    let (consumer, settler, sink) = client_consumer(&open, window, requests, guard);
    let _ = feed.send(sink);
    Ok((Box::new(consumer), Box::new(settler)))
}

async fn run(wire: Wire, requests: mpsc::Receiver<Request>, sink: EventSink) {
    let Wire {
        receiver, sender, ..
    } = wire;
    let end = tokio::select! {
        Err(error) = send(sender, requests) => error,
        error = receive(receiver, &sink) => error,
    };
    sink.closed(end);
}

async fn send(mut wire: WireSender, mut requests: mpsc::Receiver<Request>) -> Result<()> {
    while let Some(request) = requests.recv().await {
        wire.put(&ClientFrame::Request(request));
        while let Ok(request) = requests.try_recv() {
            wire.put(&ClientFrame::Request(request));
        }
        wire.flush().await?;
    }
    std::future::pending().await
}

async fn receive(mut wire: WireReceiver, sink: &EventSink) -> Error {
    loop {
        match wire.next().await {
            Ok(ServerFrame::Event(event)) => sink.event(event),
            Ok(ServerFrame::Failed(error)) | Err(error) => return error,
            Ok(_) => {}
        }
    }
}
