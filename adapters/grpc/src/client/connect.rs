//! A channel to a broker.

use std::time::Duration;

use standpipe_core::{Error, ErrorKind, Result, address::Address};
use tonic::transport::{Channel, Endpoint};

use super::DEFAULT_PORT;
use crate::proto::standpipe_client::StandpipeClient;

/// From the first packet to an HTTP/2 connection.
const DEADLINE: Duration = Duration::from_secs(10);
/// How often a silent broker is asked whether it is there, and how long it has to answer. Whoever only
/// waits for messages would wait for ever for a host that lost its power.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_DEADLINE: Duration = Duration::from_secs(20);
/// Octets on their way to us on one stream, and on one connection.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
/// Octets of one message from the broker: its largest message, with room for its encoding.
const MESSAGE_LIMIT: usize = 64 << 20;

pub(super) type Client = StandpipeClient<Channel>;

/// Tries the hosts in order.
pub(super) async fn connect(address: &Address) -> Result<Client> {
    let mut last = None;
    for authority in address.authorities(DEFAULT_PORT) {
        match open(&authority).await {
            Ok(channel) => {
                let client = StandpipeClient::new(channel);
                return Ok(client
                    .max_decoding_message_size(MESSAGE_LIMIT)
                    .max_encoding_message_size(usize::MAX));
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| address.invalid("it names no host")))
}

async fn open(authority: &str) -> Result<Channel> {
    let failed = |kind, error: tonic::transport::Error| {
        let message = format!("{authority}: {}", root(&error));
        Error::new(kind, "connect", message)
    };
    let endpoint = Endpoint::from_shared(format!("http://{authority}"))
        .map_err(|error| failed(ErrorKind::Invalid, error))?
        .connect_timeout(DEADLINE)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE_DEADLINE)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .tcp_nodelay(true);
    let connecting = tokio::time::timeout(DEADLINE, endpoint.connect());
    let late = || {
        let message = format!("{authority} did not answer in {} s", DEADLINE.as_secs());
        Error::new(ErrorKind::Disconnected, "connect", message)
    };
    match connecting.await {
        Ok(connected) => connected.map_err(|error| failed(ErrorKind::Disconnected, error)),
        Err(_) => Err(late()),
    }
}

/// The innermost cause: the outer ones say "transport error" only.
fn root(error: &tonic::transport::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
