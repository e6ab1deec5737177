//! Produce and InitProducerId.

use bytes::Bytes;

use crate::codec::message;

message! {
    /// Batches to append.
    ProduceRequest {
        transactional_id: Option<String>, 3..;
        acks: i16, 0..;
        timeout_ms: i32, 0..;
        topics: Vec<TopicProduce>, 0..;
    }

    /// A topic's batches.
    TopicProduce {
        name: String, 0..;
        partitions: Vec<PartitionProduce>, 0..;
    }

    /// A partition's batch.
    PartitionProduce {
        index: i32, 0..;
        records: Option<Bytes>, 0..;
    }

    /// What became of them.
    ProduceResponse {
        responses: Vec<TopicProduced>, 0..;
        throttle_time_ms: i32, 1..;
    }

    /// What became of a topic's batches.
    TopicProduced {
        name: String, 0..;
        partitions: Vec<PartitionProduced>, 0..;
    }

    /// What became of a partition's batch.
    PartitionProduced {
        index: i32, 0..;
        error_code: i16, 0..;
        base_offset: i64 = -1, 0..;
        log_append_time_ms: i64 = -1, 2..;
        log_start_offset: i64 = -1, 5..;
        record_errors: Vec<RecordError>, 8..;
        error_message: Option<String>, 8..;
    }

    /// Why one record of a batch was refused.
    RecordError {
        batch_index: i32, 8..;
        message: Option<String>, 8..;
    }

    /// Asks for an idempotent producer's id.
    InitProducerIdRequest {
        transactional_id: Option<String>, 0..;
        transaction_timeout_ms: i32, 0..;
        producer_id: i64 = -1, 3..;
        producer_epoch: i16 = -1, 3..;
    }

    /// The id.
    InitProducerIdResponse {
        throttle_time_ms: i32, 0..;
        error_code: i16, 0..;
        producer_id: i64 = -1, 0..;
        producer_epoch: i16 = -1, 0..;
    }
}
