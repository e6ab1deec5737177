//! The largest message that a topic takes.

use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, ResourceSpecifier},
    client::DefaultClientContext,
};
use tracing::debug;

use super::settings::ANSWER;

/// Kafka's own default.
const DEFAULT: usize = 1_048_588;

/// Octets that one message on `topic` may have, by the topic's `max.message.bytes`; Kafka's default
/// where the broker does not say. Blocks.
pub(super) fn message_limit(config: &ClientConfig, topic: &str) -> usize {
    let asked = || {
        let admin: AdminClient<DefaultClientContext> = config.create().ok()?;
        let topic = ResourceSpecifier::Topic(topic);
        let options = AdminOptions::new().request_timeout(Some(ANSWER));
        let described = admin.describe_configs([&topic], &options);
        let resource = futures::executor::block_on(described).ok()?.pop()?.ok()?;
        let entry = resource
            .entries
            .into_iter()
            .find(|e| e.name == "max.message.bytes")?;
        entry.value?.parse().ok()
    };
    asked().unwrap_or_else(|| {
        debug!(
            topic,
            "the broker does not tell max.message.bytes; taken as {DEFAULT}"
        );
        DEFAULT
    })
}
