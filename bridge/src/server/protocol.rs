//! What this process can serve: a closed list.

use std::fmt;

use crate::config::{Endpoint, ListenConfig};

/// A protocol with a listener of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// AMQP 0-9-1.
    Amqp,
    /// Kafka.
    Kafka,
    /// gRPC.
    Grpc,
    /// Standpipe's own.
    Native,
    /// Health and metrics.
    Http,
}

impl Protocol {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 5] = [
        Self::Amqp,
        Self::Kafka,
        Self::Grpc,
        Self::Native,
        Self::Http,
    ];

    /// Where a configuration puts it; where it is silent, the usual port of 127.0.0.1.
    #[must_use]
    pub fn endpoint(self, listen: &ListenConfig) -> Endpoint {
        let (said, usual) = match self {
            Self::Amqp => (&listen.amqp, Endpoint::loopback(5672)),
            Self::Kafka => (&listen.kafka, Endpoint::loopback(9092)),
            Self::Grpc => (&listen.grpc, Endpoint::loopback(50051)),
            Self::Native => (&listen.native, Endpoint::loopback(5670)),
            Self::Http => (&listen.http, Endpoint::Off),
        };
        said.clone().unwrap_or(usual)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Amqp => "amqp",
            Self::Kafka => "kafka",
            Self::Grpc => "grpc",
            Self::Native => "native",
            Self::Http => "http",
        })
    }
}
