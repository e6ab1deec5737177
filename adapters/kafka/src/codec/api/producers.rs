//! DescribeProducers.

use crate::codec::message;

message! {
    /// Asks who produces to partitions.
    DescribeProducersRequest {
        topics: Vec<ProducersAsked>, 0..;
    }

    /// Partitions of a topic.
    ProducersAsked {
        name: String, 0..;
        partition_indexes: Vec<i32>, 0..;
    }

    /// Who produces.
    DescribeProducersResponse {
        throttle_time_ms: i32, 0..;
        topics: Vec<ProducersOfTopic>, 0..;
    }

    /// A topic.
    ProducersOfTopic {
        name: String, 0..;
        partitions: Vec<ProducersOfPartition>, 0..;
    }

    /// A partition.
    ProducersOfPartition {
        partition_index: i32, 0..;
        error_code: i16, 0..;
        error_message: Option<String>, 0..;
        active_producers: Vec<ProducerState>, 0..;
    }

    /// A producer that is remembered.
    ProducerState {
        producer_id: i64, 0..;
        producer_epoch: i32, 0..;
        last_sequence: i32 = -1, 0..;
        last_timestamp: i64 = -1, 0..;
        coordinator_epoch: i32, 0..;
        current_txn_start_offset: i64 = -1, 0..;
    }
}
