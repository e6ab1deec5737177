//! The protocols that this build can serve: one line an adapter.

use std::sync::Arc;

use standpipe_core::{Error, ErrorKind, Result, frontend::Frontend};

use super::{Protocol, ServerBuilder};
#[cfg(feature = "kafka")]
use crate::config::Endpoint;

/// The frontend of a protocol.
///
/// # Errors
/// `Unsupported` where this build lacks it, naming the feature.
pub(super) fn frontend(protocol: Protocol, settings: &ServerBuilder) -> Result<Arc<dyn Frontend>> {
    match protocol {
        #[cfg(feature = "amqp")]
        Protocol::Amqp => Ok(Arc::new(standpipe_amqp::AmqpFrontend)),
        #[cfg(feature = "kafka")]
        Protocol::Kafka => Ok(Arc::new(kafka(settings.kafka_advertise.as_ref()))),
        #[cfg(feature = "grpc")]
        Protocol::Grpc => Ok(Arc::new(standpipe_grpc::GrpcFrontend)),
        #[cfg(feature = "native")]
        Protocol::Native => Ok(Arc::new(standpipe_native::NativeFrontend)),
        missing => {
            let message =
                format!("{missing} is not in this build; build with the feature `{missing}`");
            Err(Error::new(ErrorKind::Unsupported, "serve", message))
        }
    }
}

#[cfg(feature = "kafka")]
fn kafka(advertise: Option<&Endpoint>) -> standpipe_kafka::KafkaFrontend {
    let frontend = standpipe_kafka::KafkaFrontend::new();
    match advertise {
        Some(Endpoint::At { host, port }) => frontend.advertise(host, *port),
        _ => frontend,
    }
}
