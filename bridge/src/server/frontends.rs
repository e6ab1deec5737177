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
        Protocol::Kafka => Ok(Arc::new(kafka(settings))),
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
fn kafka(settings: &ServerBuilder) -> standpipe_kafka::KafkaFrontend {
    let (said, mut options) = (&settings.kafka, standpipe_kafka::KafkaOptions::default());
    let take = |place: &mut std::time::Duration, said: Option<std::time::Duration>| {
        *place = said.unwrap_or(*place);
    };
    options.num_partitions = said.num_partitions.unwrap_or(options.num_partitions);
    if said.auto_create_topics == Some(false) {
        options.auto_create = standpipe_kafka::AutoCreate::Off;
    }
    let groups = &mut options.groups;
    take(
        &mut groups.initial_rebalance_delay,
        said.group_initial_rebalance_delay,
    );
    take(
        &mut groups.min_session_timeout,
        said.group_min_session_timeout,
    );
    take(
        &mut groups.max_session_timeout,
        said.group_max_session_timeout,
    );
    let frontend = standpipe_kafka::KafkaFrontend::new().options(options);
    match &settings.kafka_advertise {
        Some(Endpoint::At { host, port }) => frontend.advertise(host, *port),
        _ => frontend,
    }
}
