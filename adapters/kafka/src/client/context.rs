//! What librdkafka tells about the group.

use std::sync::Arc;

use rdkafka::{
    ClientContext, TopicPartitionList,
    consumer::{BaseConsumer, ConsumerContext, Rebalance},
    error::KafkaError,
    types::RDKafkaErrorCode,
};
use tracing::warn;

use super::buffer::Buffer;

/// Passes partitions that come and go on to the buffer.
pub(super) struct Context {
    pub(super) buffer: Arc<Buffer>,
}

impl ClientContext for Context {
    fn error(&self, error: KafkaError, reason: &str) {
        match error {
            // No failure: it is how the end is told, and it comes to the poller too.
            KafkaError::PartitionEOF(_) | KafkaError::Global(RDKafkaErrorCode::PartitionEOF) => {}
            _ => warn!(%error, reason, "the Kafka client reports a failure"),
        }
    }
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(list) = rebalance {
            self.buffer.revoke(numbers(list));
        }
    }

    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(list) = rebalance {
            self.buffer.assign(numbers(list));
        }
    }
}

fn numbers(list: &TopicPartitionList) -> Vec<i32> {
    list.elements()
        .iter()
        .map(|element| element.partition())
        .collect()
}
