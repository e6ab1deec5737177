//! The protocols that this build can serve: one line an adapter.

use std::sync::Arc;

use standpipe_core::{Error, ErrorKind, Result, frontend::Frontend};

use super::{Protocol, ServerBuilder};

/// The frontend of a protocol.
///
/// # Errors
/// `Unsupported` where this build lacks it, naming the feature.
pub(super) fn frontend(protocol: Protocol, settings: &ServerBuilder) -> Result<Arc<dyn Frontend>> {
    match protocol {
        #[cfg(feature = "amqp")]
        Protocol::Amqp => Ok(Arc::new(standpipe_amqp::AmqpFrontend::default())),
        #[cfg(feature = "kafka")]
        Protocol::Kafka => Ok(Arc::new(standpipe_kafka::KafkaFrontend::default())),
        #[cfg(feature = "grpc")]
        Protocol::Grpc => Ok(Arc::new(standpipe_grpc::GrpcFrontend::default())),
        #[cfg(feature = "native")]
        Protocol::Native => Ok(Arc::new(standpipe_native::NativeFrontend::default())),
        #[allow(unreachable_patterns, reason = "with all features only http is left")]
        _ => {
            let message = format!("{protocol} is not in this build; build with the feature `{protocol}`");
            Err(Error::new(ErrorKind::Unsupported, "serve", message))
        }
    }
}
