//! `[listen]`: where each frontend listens.

use std::{collections::BTreeMap, fmt, net::ToSocketAddrs as _, str::FromStr};

use super::{Problem, document::Document, top};

/// `HOST:PORT`, or `off`. Port 0 lets the system choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// Not served.
    Off,
    /// Served at this host and port.
    At {
        /// A name or an address.
        host: String,
        /// 0 for any free one.
        port: u16,
    },
}

impl Endpoint {
    /// A port of 127.0.0.1.
    pub fn loopback(port: u16) -> Self {
        Self::At {
            host: "127.0.0.1".to_owned(),
            port,
        }
    }

    /// Whether nobody beyond this machine can reach it: every address of its name is a loopback one.
    pub fn is_loopback(&self) -> bool {
        let Self::At { host, port } = self else {
            return true;
        };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        match (bare, *port).to_socket_addrs() {
            Ok(mut addresses) => addresses.all(|address| address.ip().is_loopback()),
            Err(_) => false,
        }
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let wrong = || format!("`{text}` is not HOST:PORT or `off`; write 127.0.0.1:5672");
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().map_err(|_| wrong())?;
        let bracketed = host.starts_with('[') && host.ends_with(']');
        if host.is_empty() || (host.contains(':') && !bracketed) {
            return Err(wrong());
        }
        Ok(Self::At {
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::At { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

/// Where the frontends listen; `None` where the configuration is silent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListenConfig {
    /// AMQP 0-9-1.
    pub amqp: Option<Endpoint>,
    /// Kafka.
    pub kafka: Option<Endpoint>,
    /// gRPC.
    pub grpc: Option<Endpoint>,
    /// Standpipe's own protocol.
    pub native: Option<Endpoint>,
    /// Health and metrics.
    pub http: Option<Endpoint>,
    /// What Kafka's clients are told to connect to; where silent, the address that they connected to.
    pub kafka_advertise: Option<Endpoint>,
}

/// Understands the words of `[listen]`; its keys are checked already.
pub(super) fn read(
    raw: BTreeMap<String, String>,
    document: &Document,
) -> Result<ListenConfig, Problem> {
    let mut listen = ListenConfig::default();
    for (key, text) in raw {
        let endpoint = text
            .parse()
            .map_err(|message: String| document.problem(&top("listen").key(&key), message))?;
        let place = match key.as_str() {
            "amqp" => &mut listen.amqp,
            "kafka" => &mut listen.kafka,
            "grpc" => &mut listen.grpc,
            "native" => &mut listen.native,
            "http" => &mut listen.http,
            _ => &mut listen.kafka_advertise,
        };
        *place = Some(endpoint);
    }
    Ok(listen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_ports_and_off_are_understood() {
        assert_eq!("off".parse(), Ok(Endpoint::Off));
        assert_eq!("127.0.0.1:0".parse(), Ok(Endpoint::loopback(0)));
        assert!("[::1]:5672".parse::<Endpoint>().unwrap().is_loopback());
        assert!(!"0.0.0.0:5672".parse::<Endpoint>().unwrap().is_loopback());
        for text in ["5672", ":5672", "::1:5672", "host", "host:x", "host:70000"] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }
}
