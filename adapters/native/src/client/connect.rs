//! A connection to a broker, after the handshake.

use std::{io, time::Duration};

use bytes::BytesMut;
use futures::StreamExt as _;
use standpipe_core::{
    Error, ErrorKind, Result, address::Address, keep_alive::keep_alive,
    session::client::from_remote,
};
use tokio::{
    io::AsyncWriteExt as _,
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};
use tokio_util::codec::FramedRead;

use super::{DEFAULT_PORT, disconnected, keep_alive::limit_unanswered};
use crate::codec::{ClientFrame, DEFAULT_MESSAGE_LIMIT, Framing, ServerFrame, VERSION};

/// From the first packet to the welcome.
const DEADLINE: Duration = Duration::from_secs(10);

/// A connection: what comes, what goes, and the limit that the broker said.
pub(super) struct Wire {
    pub(super) receiver: WireReceiver,
    pub(super) sender: WireSender,
    pub(super) message_limit: usize,
}

pub(super) struct WireReceiver(FramedRead<OwnedReadHalf, Framing>);

pub(super) struct WireSender {
    socket: OwnedWriteHalf,
    out: BytesMut,
}

/// Tries the hosts in order.
pub(super) async fn connect(address: &Address) -> Result<Wire> {
    let mut last = None;
    for authority in address.authorities(DEFAULT_PORT) {
        let connecting = tokio::time::timeout(DEADLINE, open(&authority));
        let seconds = DEADLINE.as_secs();
        let late = || {
            disconnected(
                "connect",
                format!("{authority} did not answer in {seconds} s"),
            )
        };
        match connecting.await.unwrap_or_else(|_| Err(late())) {
            Ok(wire) => return Ok(wire),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| address.invalid("it names no host")))
}

async fn open(authority: &str) -> Result<Wire> {
    let failed = |error: io::Error| disconnected("connect", format!("{authority}: {error}"));
    let stream = TcpStream::connect(authority).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    keep_alive(&stream).map_err(failed)?;
    limit_unanswered(&stream).map_err(failed)?;
    let (reader, socket) = stream.into_split();
    let framing = Framing::new(DEFAULT_MESSAGE_LIMIT);
    let mut wire = Wire {
        receiver: WireReceiver(FramedRead::new(reader, framing)),
        sender: WireSender {
            socket,
            out: BytesMut::new(),
        },
        message_limit: DEFAULT_MESSAGE_LIMIT,
    };
    let hello = ClientFrame::Hello {
        version: VERSION,
        features: 0,
    };
    wire.sender.send(&hello).await?;
    match wire.receiver.next().await? {
        ServerFrame::Welcome {
            version,
            message_limit,
            ..
        } if version == VERSION => {
            wire.message_limit = usize::try_from(message_limit).unwrap_or(usize::MAX);
            *wire.receiver.0.decoder_mut() = Framing::new(wire.message_limit);
            Ok(wire)
        }
        ServerFrame::Failed(error) => Err(from_remote(error)),
        _ => {
            let message = format!("{authority} does not speak version {VERSION}");
            Err(Error::new(ErrorKind::Unsupported, "connect", message))
        }
    }
}

impl WireReceiver {
    /// The next frame. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<ServerFrame> {
        match self.0.next().await {
            Some(Ok(frame)) => ServerFrame::decode(frame),
            Some(Err(error)) => Err(disconnected("receive", error.to_string())),
            None => Err(disconnected("receive", "the broker closed the connection")),
        }
    }
}

impl WireSender {
    /// Puts a frame where [`WireSender::flush`] finds it.
    pub(super) fn put(&mut self, frame: &ClientFrame) {
        frame.encode(&mut self.out);
    }

    /// Octets that wait to be flushed.
    pub(super) fn waiting(&self) -> usize {
        self.out.len()
    }

    /// Writes what was put. Not cancel-safe.
    pub(super) async fn flush(&mut self) -> Result<()> {
        let written = self.socket.write_all(&self.out).await;
        self.out.clear();
        written.map_err(|error| disconnected("send", error.to_string()))
    }

    pub(super) async fn send(&mut self, frame: &ClientFrame) -> Result<()> {
        self.put(frame);
        self.flush().await
    }
}

#[cfg(test)]
mod tests {
    use rustix::net::sockopt;

    use super::{
        super::tests::{peer, welcome},
        *,
    };

    #[tokio::test]
    async fn the_system_asks_a_silent_broker_whether_it_is_there() {
        let wire = connect(&peer(vec![welcome()]).await).await.unwrap();
        let socket: &TcpStream = wire.sender.socket.as_ref();
        assert!(sockopt::socket_keepalive(socket).unwrap());
        let silence = sockopt::tcp_keepidle(socket).unwrap();
        assert_eq!(silence, Duration::from_secs(30));
    }

    #[tokio::test]
    async fn a_broker_that_acknowledges_nothing_is_given_up_in_less_than_two_minutes() {
        let wire = connect(&peer(vec![welcome()]).await).await.unwrap();
        let socket: &TcpStream = wire.sender.socket.as_ref();
        assert_eq!(sockopt::tcp_user_timeout(socket).unwrap(), 100_000);
    }
}
