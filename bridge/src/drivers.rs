//! The schemes that this build knows: one line an adapter.

use std::sync::Arc;

use standpipe_core::{address::FileReader, broker::Broker, driver::Registry};

/// The drivers of all adapters in this build, by the scheme of their addresses.
#[must_use]
pub fn registry() -> Registry {
    let mut registry = Registry::new();
    registry.read_files_with(FileReader::new(|path| std::fs::read_to_string(path)));
    #[cfg(feature = "amqp")]
    registry.register(Arc::new(standpipe_amqp::client::AmqpDriver));
    #[cfg(feature = "file")]
    standpipe_file::register(&mut registry);
    #[cfg(feature = "grpc")]
    standpipe_grpc::register(&mut registry);
    #[cfg(feature = "kafka")]
    registry.register(Arc::new(standpipe_kafka::client::KafkaDriver));
    #[cfg(feature = "native")]
    standpipe_native::register(&mut registry);
    registry
}

/// The same, where `standpipe:///TOPIC` is a topic of `broker`, without a wire in between.
#[must_use]
#[cfg_attr(not(feature = "native"), allow(unused_variables, unused_mut))]
pub fn registry_over(broker: &Broker) -> Registry {
    let mut registry = registry();
    #[cfg(feature = "native")]
    registry.register(Arc::new(standpipe_native::NativeDriver::with_broker(
        broker.clone(),
    )));
    registry
}
