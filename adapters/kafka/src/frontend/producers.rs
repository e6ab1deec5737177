//! DescribeProducers: the idempotent producers that partitions remember.

use standpipe_core::{id::PartitionId, producer::ActiveProducer};

use super::{distinct::NamedPartitions, names, service::Client};
use crate::codec::{
    api::producers::{
        DescribeProducersRequest, DescribeProducersResponse, ProducerState, ProducersOfPartition,
        ProducersOfTopic,
    },
    error_code::ErrorCode,
};

/// Who has appended to partitions; nobody has a transaction open.
pub(super) fn describe(
    client: &Client,
    request: DescribeProducersRequest,
) -> DescribeProducersResponse {
    let mut named = NamedPartitions::default();
    let topics = request.topics.into_iter().map(|asked| {
        let topic = names::topic(client.broker(), &asked.name);
        let partitions = named.new_of(&asked.name, asked.partition_indexes);
        let partitions = partitions.into_iter().map(|partition_index| {
            let number = PartitionId(partition_index.cast_unsigned());
            let producers = topic
                .as_ref()
                .and_then(|topic| topic.producers(number).ok());
            let code = match producers {
                Some(_) => ErrorCode::None,
                None => ErrorCode::UnknownTopicOrPartition,
            };
            let active = producers.into_iter().flatten().map(state);
            ProducersOfPartition {
                partition_index,
                error_code: code.number(),
                active_producers: active.collect(),
                ..Default::default()
            }
        });
        ProducersOfTopic {
            partitions: partitions.collect(),
            name: asked.name,
        }
    });
    DescribeProducersResponse {
        topics: topics.collect(),
        ..Default::default()
    }
}

fn state(producer: ActiveProducer) -> ProducerState {
    ProducerState {
        producer_id: producer.id,
        producer_epoch: producer.epoch.into(),
        last_sequence: producer.last_sequence,
        last_timestamp: producer.last_append.map_or(-1, |at| at.0),
        coordinator_epoch: -1,
        ..Default::default()
    }
}
