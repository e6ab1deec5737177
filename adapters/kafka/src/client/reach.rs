//! Whether anybody listens.

use std::net::{TcpStream, ToSocketAddrs};

use rdkafka::ClientConfig;
use standpipe_core::{Error, ErrorKind, Result};

use super::settings::ANSWER;

/// Connects to one of the brokers and hangs up: librdkafka would try until it runs out of time, and
/// not say why. Blocks.
///
/// # Errors
/// `Disconnected` where none of them accepts a connection.
pub(super) fn reach(config: &ClientConfig) -> Result<()> {
    let brokers = config.get("bootstrap.servers").unwrap_or_default();
    let mut last = None;
    for broker in brokers.split(',') {
        match connect(broker) {
            Ok(_) => return Ok(()),
            Err(error) => last = Some(error),
        }
    }
    let error = Error::new(
        ErrorKind::Disconnected,
        "connect",
        format!("{brokers} does not answer"),
    );
    Err(match last {
        Some(cause) => error.with_source(cause),
        None => error,
    })
}

fn connect(broker: &str) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::from(std::io::ErrorKind::NotFound);
    for address in broker.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, ANSWER) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}
