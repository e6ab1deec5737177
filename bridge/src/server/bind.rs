//! Taking the ports, all of them before anything else happens.

use std::{collections::BTreeMap, net::SocketAddr};

use standpipe_core::{Error, ErrorKind, Result};
use tokio::net::{TcpListener, TcpSocket, lookup_host};

use super::protocol::Protocol;
use crate::config::Endpoint;

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// A port that is ours.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) protocol: Protocol,
    pub(crate) listener: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Bound {
    /// The listener as it is kept, to be handed out again.
    ///
    /// # Errors
    /// `Transient` where the system does not give it back.
    pub(super) fn into_std(self) -> Result<(Protocol, std::net::TcpListener)> {
        let (protocol, address) = (self.protocol, self.address);
        let listener = self.listener.into_std().map_err(|error| {
            let message = format!("cannot keep the listener of {protocol} at {address}");
            Error::new(ErrorKind::Transient, "listen", message).with_source(error)
        })?;
        Ok((protocol, listener))
    }
}

/// Whether listeners may be reached from other machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Exposure {
    /// Only from this one: nothing is encrypted or authenticated yet.
    #[default]
    Loopback,
    /// From anywhere; somebody said that this is what they want.
    Insecure,
}

/// Binds every listener that is not off; where one fails, none stays bound.
///
/// # Errors
/// `Invalid` beyond loopback without consent, `Transient` where a port is taken.
pub(crate) async fn bind_all(
    endpoints: &BTreeMap<Protocol, Endpoint>,
    exposure: Exposure,
) -> Result<Vec<Bound>> {
    let mut bound = Vec::new();
    for (&protocol, endpoint) in endpoints {
        if let Endpoint::At { host, port } = endpoint {
            if exposure == Exposure::Loopback && !endpoint.is_loopback() {
                return Err(beyond_loopback(protocol, endpoint));
            }
            bound.push(bind(protocol, host, *port).await?);
        }
    }
    Ok(bound)
}

async fn bind(protocol: Protocol, host: &str, port: u16) -> Result<Bound> {
    let failed = |error: std::io::Error| {
        let message = format!(
            "cannot serve {protocol} on {host}:{port}; choose another with --{protocol} HOST:PORT, \
             or `--{protocol} off`"
        );
        Error::new(ErrorKind::Transient, "listen", message).with_source(error)
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let mut addresses = lookup_host((bare, port)).await.map_err(failed)?;
    let address = addresses
        .next()
        .ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))?;
    let listener = listen_at(address).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok(Bound {
        protocol,
        listener,
        address,
    })
}

fn listen_at(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn beyond_loopback(protocol: Protocol, endpoint: &Endpoint) -> Error {
    let message = format!(
        "{protocol} on {endpoint} could be reached from other machines, and nothing is encrypted \
         or authenticated yet; listen on 127.0.0.1, or say --insecure"
    );
    Error::new(ErrorKind::Invalid, "listen", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only_amqp(endpoint: Endpoint) -> BTreeMap<Protocol, Endpoint> {
        BTreeMap::from([(Protocol::Amqp, endpoint)])
    }

    #[tokio::test]
    async fn beyond_loopback_needs_consent() {
        let listen = only_amqp("0.0.0.0:0".parse().unwrap());
        let error = bind_all(&listen, Exposure::Loopback).await.unwrap_err();
        assert!(error.to_string().contains("--insecure"), "{error}");
        let bound = bind_all(&listen, Exposure::Insecure).await.unwrap();
        assert_eq!(bound.len(), 1);
    }

    #[tokio::test]
    async fn a_taken_port_is_named_with_the_way_out() {
        let taken = bind_all(&only_amqp(Endpoint::loopback(0)), Exposure::Loopback)
            .await
            .unwrap();
        let port = taken[0].address.port();
        let again = only_amqp(Endpoint::loopback(port));
        let error = bind_all(&again, Exposure::Loopback).await.unwrap_err();
        assert!(
            error.to_string().contains(&format!("127.0.0.1:{port}")),
            "{error}"
        );
        assert!(error.to_string().contains("--amqp off"), "{error}");
    }
}
