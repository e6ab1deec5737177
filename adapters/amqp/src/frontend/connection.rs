//! One connection, from accept to close.

mod listen;

use std::{collections::HashMap, future::poll_fn, net::SocketAddr, sync::Arc, time::Instant};

use parking_lot::Mutex;
use standpipe_core::{broker::Broker, dispatcher::OwnerId, message::Text};
use tokio::{
    net::TcpStream,
    sync::OwnedSemaphorePermit,
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    FAREWELL, HANDSHAKE_DEADLINE, SILENCE,
    blocked::Blocked,
    channel::{Channel, Shared, Then},
    ending::Ending,
    farewell::{close, until_closed},
    handshake::{Agreed, FRAME_MAX_BEFORE, Handshake, Outcome, refuse_method},
    often::Often,
    output::Output,
    parked::Parked,
    refusal::{Closes, Handled, Refusal},
    replies::Replies,
    slot::{Slot, method_id, must_wait},
    source::Source,
    unfinished::Unfinished,
    writer::write_all,
};
use crate::codec::{
    frame::{Frame, FrameKind},
    method::{Method, decode_method},
};
use listen::Hearing;

/// Class and method of `basic.publish`.
const PUBLISH: (u16, u16) = (60, 40);

/// Serves one client. `place` is its place among the connections in their handshake.
pub(super) async fn serve(
    socket: TcpStream,
    peer: SocketAddr,
    (broker, replies): (Broker, Arc<Replies>),
    shutdown: CancellationToken,
    place: OwnedSemaphorePermit,
) {
    // Small frames in both directions: waiting to fill segments only adds latency.
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%peer, %error, "no TCP_NODELAY");
    }
    let (read, write) = socket.into_split();
    let mut source = Source::new(read, FRAME_MAX_BEFORE);
    let output = Arc::new(Output::default());
    let (heartbeat, beats) = watch::channel(None);
    let mut writer = tokio::spawn(write_all(write, output.clone(), beats));
    let handshake = Handshake {
        source: &mut source,
        output: &output,
        heartbeat: &heartbeat,
    };
    let outcome = tokio::select! {
        outcome = timeout(HANDSHAKE_DEADLINE, handshake.run()) => outcome,
        () = shutdown.cancelled() => Ok(Ok(Outcome::Gone("the broker shuts down"))),
    };
    drop(place);
    match outcome {
        Ok(Ok(Outcome::Open(agreed))) => {
            tracing::debug!(%peer, ?agreed, "connection open");
            let mut connection = Connection::new((broker, replies), source, output.clone(), agreed);
            let ended = tokio::select! {
                ended = connection.run(&shutdown) => ended,
                // The writer ends early only when the client is gone.
                _ = &mut writer => Ended::Gone("the client does not take what is written".into()),
                () = overdue(&shutdown) => Ended::Gone("the broker shuts down".into()),
            };
            connection.finish(ended, peer).await;
        }
        Ok(Ok(Outcome::Gone(why))) => {
            tracing::info!(%peer, why, "connection closed in its handshake")
        }
        Ok(Ok(Outcome::Refused(refusal))) => {
            tracing::warn!(%peer, refusal = refusal.text, "connection refused");
            if refusal.closes == Closes::Socket {
                let _ = timeout(SILENCE, until_closed(&mut source)).await;
            } else {
                output.method(0, &close(&refusal, (0, 0)));
                let _ = timeout(FAREWELL, until_closed(&mut source)).await;
            }
        }
        Ok(Err(error)) => tracing::info!(%peer, %error, "connection lost in its handshake"),
        Err(_) => tracing::warn!(%peer, "connection closed: no connection.open within 10 s"),
    }
    output.end();
    if !writer.is_finished() && timeout(FAREWELL, &mut writer).await.is_err() {
        tracing::info!(%peer, "the client did not read its last answers");
        writer.abort();
    }
}

/// A client that keeps its connection from noticing the shutdown has this long.
async fn overdue(shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    sleep(FAREWELL).await;
}

/// How a connection ended.
enum Ended {
    /// The client closed it, and waits for the answer.
    Closed,
    /// The client is gone.
    Gone(String),
    /// We close it; class and method of what was refused.
    Refused(Refusal, (u16, u16)),
}

struct Connection {
    source: Source,
    output: Arc<Output>,
    broker: Broker,
    replies: Arc<Replies>,
    owner: OwnerId,
    agreed: Agreed,
    channels: HashMap<u16, Slot>,
    ending: Ending,
    /// Ends the consumers of all channels.
    stop: CancellationToken,
    unfinished: Arc<Unfinished>,
    parked: Parked,
    blocked: Blocked,
    hearing: Hearing,
    /// Channels that are closed because of what their client asked.
    refused: Often,
    /// Class and method of the frame in hand, for `close`.
    method: (u16, u16),
}

impl Connection {
    fn new(
        (broker, replies): (Broker, Arc<Replies>),
        source: Source,
        output: Arc<Output>,
        agreed: Agreed,
    ) -> Self {
        Self {
            blocked: Blocked::new(&broker, output.clone(), agreed.blocked),
            source,
            output,
            unfinished: Arc::new(Unfinished::new(broker.limits().message_bytes)),
            owner: broker.new_owner(),
            broker,
            replies,
            agreed,
            channels: HashMap::new(),
            ending: Ending::default(),
            stop: CancellationToken::new(),
            parked: Parked::default(),
            hearing: Hearing::default(),
            refused: Often::new(),
            method: (0, 0),
        }
    }

    async fn run(&mut self, shutdown: &CancellationToken) -> Ended {
        loop {
            // First what came along with connection.open: not every client waits for its answer.
            match self.frames().await {
                Ok(None) => {}
                Ok(Some(ended)) => return ended,
                Err(refusal) => return Ended::Refused(refusal, self.method),
            }
            let read = tokio::select! {
                read = self.read() => read,
                () = shutdown.cancelled() => {
                    let why = "broker forced connection closure with reason 'shutdown'";
                    return Ended::Refused(Refusal::forced(why), (0, 0));
                }
            };
            match read {
                Ok(true) => {}
                Ok(false) => {
                    return Ended::Gone("the client hung up without connection.close".into());
                }
                Err(error) => return Ended::Gone(error.to_string()),
            }
        }
    }

    /// Handles every whole frame that was read, but for those that must wait.
    async fn frames(&mut self) -> Handled<Option<Ended>> {
        self.unpark().await?;
        loop {
            // Octets that are no frame belong to no method.
            self.method = (0, 0);
            let Some(frame) = self.source.next()? else {
                break;
            };
            let id = frame.channel;
            if id == 0 {
                self.method = method_id(&frame);
                let ended = self.connection_frame(frame)?;
                if ended.is_some() {
                    return Ok(ended);
                }
            } else if self.parked.holds(id) || must_wait(&mut self.channels, &frame) {
                self.parked.push(frame);
            } else {
                self.channel_frame(frame).await?;
            }
        }
        self.flush().await
    }

    /// Handles parked frames, as far as what they wait for is there.
    async fn unpark(&mut self) -> Handled {
        let parked: Vec<_> = self.parked.channels().collect();
        for id in parked {
            while let Some(frame) = self.parked.first(id) {
                if must_wait(&mut self.channels, frame) {
                    break;
                }
                if let Some(frame) = self.parked.take(id) {
                    self.channel_frame(frame).await?;
                }
            }
        }
        Ok(())
    }

    /// What the client had sent before it left is done, if in time.
    async fn last_frames(&mut self, ended: &Ended, peer: SocketAddr) {
        if matches!(ended, Ended::Gone(_)) {
            // Nobody reads: nothing is to wait for room, and no consumer is to find some.
            self.stop.cancel();
            self.output.end();
        }
        match timeout(FAREWELL, self.settle_parked()).await {
            Ok(Ok(())) => {}
            Ok(Err(refusal)) => {
                tracing::warn!(%peer, refusal = refusal.text, "refused after the client left");
            }
            Err(_) => tracing::warn!(%peer, "the client left, and what it sent last is dropped"),
        }
    }

    /// Waits until all that the client published before it left is visible, and handles the rest.
    async fn settle_parked(&mut self) -> Handled {
        loop {
            for slot in self.channels.values_mut() {
                poll_fn(|context| slot.poll_published(context)).await;
            }
            if self.parked.channels().next().is_none() {
                return Ok(());
            }
            self.unpark().await?;
        }
    }

    /// Hands the settlements of this round to the broker.
    async fn flush(&mut self) -> Handled<Option<Ended>> {
        let mut refused = Vec::new();
        for (id, slot) in &mut self.channels {
            if let Slot::Open(channel) = slot
                && let Err(refusal) = channel.settling.flush()
            {
                refused.push((*id, refusal));
            }
        }
        for (id, refusal) in refused {
            self.refuse(id, refusal).await?;
        }
        Ok(None)
    }

    fn connection_frame(&mut self, frame: Frame) -> Handled<Option<Ended>> {
        match frame.kind {
            FrameKind::Heartbeat if frame.payload.is_empty() => return Ok(None),
            FrameKind::Heartbeat => {
                return Err(Refusal::frame_error(
                    "type 8, all octets = <<>>: unknown_frame",
                ));
            }
            FrameKind::Method => {}
            FrameKind::Header | FrameKind::Body => {
                return Err(Refusal::unexpected_frame("content on channel 0"));
            }
        }
        match decode_method(frame.payload).map_err(refuse_method)? {
            Method::ConnectionClose { .. } => Ok(Some(Ended::Closed)),
            // For credentials that expire; a password does not, so that RabbitMQ takes any here.
            Method::ConnectionUpdateSecret { .. } => {
                self.output.method(0, &Method::ConnectionUpdateSecretOk {});
                Ok(None)
            }
            _ => Err(Refusal::channel_error(
                "unexpected method in connection state running",
            )),
        }
    }

    async fn channel_frame(&mut self, frame: Frame) -> Handled {
        let id = frame.channel;
        self.method = method_id(&frame);
        if frame.kind == FrameKind::Heartbeat {
            return Err(Refusal::unexpected_frame("type 8, all octets = <<>>"));
        }
        match self.channels.get_mut(&id) {
            None => self.open(frame)?,
            Some(Slot::Closing) => self.closing_frame(frame),
            Some(Slot::Open(channel)) => {
                if self.method == PUBLISH {
                    self.blocked.publishes();
                }
                if channel.is_taking_content() {
                    self.method = PUBLISH;
                }
                match channel.frame(frame).await {
                    Ok(Then::Go) => {}
                    Ok(Then::Close) => self.close_channel(id).await?,
                    Err(refusal) => self.refuse(id, refusal).await?,
                }
            }
        }
        Ok(())
    }

    fn open(&mut self, frame: Frame) -> Handled {
        let id = frame.channel;
        if frame.kind != FrameKind::Method {
            return Err(Refusal::unexpected_frame(
                "expected method frame, got non method frame instead",
            ));
        }
        let (count, most) = (self.channels.len(), self.agreed.channel_max);
        match decode_method(frame.payload).map_err(refuse_method)? {
            // As in RabbitMQ, how many there are counts, and not how they are numbered.
            Method::ChannelOpen { .. } if count < most.into() => {}
            Method::ChannelOpen { .. } => {
                return Err(Refusal::not_allowed(format!(
                    "number of channels opened ({count}) has reached the negotiated channel_max ({most})"
                )));
            }
            // The answer to a close that crossed with theirs.
            Method::ChannelCloseOk {} => return Ok(()),
            _ => return Err(Refusal::channel_error("expected 'channel.open'")),
        }
        let shared = Shared {
            id,
            output: self.output.clone(),
            frame_max: self.agreed.frame_max,
            cancel_notify: self.agreed.cancel_notify,
            stop: self.stop.child_token(),
            unacked: Mutex::default(),
            consumers: Mutex::default(),
            deleting: tokio::sync::Mutex::default(),
        };
        let around = (&self.broker, &self.replies, &self.unfinished);
        let channel = Channel::new(around, self.owner, shared);
        self.channels.insert(id, Slot::Open(Box::new(channel)));
        let open_ok = Method::ChannelOpenOk {
            id: bytes::Bytes::new(),
        };
        self.output.method(id, &open_ok);
        Ok(())
    }

    fn closing_frame(&mut self, frame: Frame) {
        let id = frame.channel;
        if frame.kind != FrameKind::Method {
            return;
        }
        match decode_method(frame.payload) {
            Ok(Method::ChannelCloseOk {}) => {
                self.channels.remove(&id);
            }
            Ok(Method::ChannelClose { .. }) => self.output.method(id, &Method::ChannelCloseOk {}),
            // Sent before the client saw our close.
            _ => {}
        }
    }

    async fn close_channel(&mut self, id: u16) -> Handled {
        if let Some(Slot::Open(channel)) = self.channels.remove(&id) {
            self.ending.end(*channel).await;
        }
        self.output.method(id, &Method::ChannelCloseOk {});
        Ok(())
    }

    /// Closes the channel, or passes on what closes the connection.
    async fn refuse(&mut self, id: u16, refusal: Refusal) -> Handled {
        if refusal.closes != Closes::Channel {
            return Err(refusal);
        }
        if let Some(count) = self.refused.happened(Instant::now()) {
            let refusal = &refusal.text;
            tracing::info!(channel = id, refusal, count, "channel closed");
        }
        if let Some(Slot::Open(channel)) = self.channels.insert(id, Slot::Closing) {
            self.ending.end(*channel).await;
        }
        let (class, method) = self.method;
        let close = Method::ChannelClose {
            code: refusal.code,
            text: Text::from(refusal.text),
            class,
            method,
        };
        self.output.method(id, &close);
        Ok(())
    }

    /// Ends the channels, then the connection, and tells the client where it listens.
    async fn finish(mut self, ended: Ended, peer: SocketAddr) {
        if !matches!(ended, Ended::Refused(..)) {
            self.last_frames(&ended, peer).await;
        }
        // Channels end at their own pace: none is to deliver on while another ends.
        self.stop.cancel();
        for (_, slot) in self.channels.drain() {
            if let Slot::Open(channel) = slot {
                // All before any is waited for, so that they share their syncs.
                self.ending.begin(*channel);
            }
        }
        self.ending.finished().await;
        self.broker.owner_gone(self.owner).await;
        self.blocked.stop().await;
        match ended {
            Ended::Closed => {
                self.output.method(0, &Method::ConnectionCloseOk {});
                // Frames of channels may come behind the close: amqplib takes channels in turn.
                let _ = timeout(FAREWELL, until_closed(&mut self.source)).await;
            }
            Ended::Gone(why) => tracing::info!(%peer, why, "connection lost"),
            Ended::Refused(refusal, method) => {
                tracing::warn!(%peer, refusal = refusal.text, "connection closed");
                self.output.method(0, &close(&refusal, method));
                let _ = timeout(FAREWELL, until_closed(&mut self.source)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests;
