//! Fetch.

use bytes::Bytes;
use uuid::Uuid;

use crate::codec::message;

message! {
    /// Asks for batches.
    FetchRequest {
        replica_id: i32 = -1, 0..=14;
        max_wait_ms: i32, 0..;
        min_bytes: i32, 0..;
        max_bytes: i32 = i32::MAX, 3..;
        isolation_level: i8, 4..;
        session_id: i32, 7..;
        session_epoch: i32 = -1, 7..;
        topics: Vec<FetchTopic>, 0..;
        forgotten: Vec<ForgottenTopic>, 7..;
        rack_id: String, 11..;
    }

    /// A topic, by name or from version 13 by id.
    FetchTopic {
        topic: String, 0..=12;
        topic_id: Uuid = Uuid::nil(), 13..;
        partitions: Vec<FetchPartition>, 0..;
    }

    /// Where to begin on a partition.
    FetchPartition {
        partition: i32, 0..;
        current_leader_epoch: i32 = -1, 9..;
        fetch_offset: i64, 0..;
        last_fetched_epoch: i32 = -1, 12..;
        log_start_offset: i64 = -1, 5..;
        partition_max_bytes: i32, 0..;
    }

    /// What a fetch session need not cover any more.
    ForgottenTopic {
        topic: String, 7..=12;
        topic_id: Uuid = Uuid::nil(), 13..;
        partitions: Vec<i32>, 7..;
    }

    /// Batches.
    FetchResponse {
        throttle_time_ms: i32, 1..;
        error_code: i16, 7..;
        session_id: i32, 7..;
        responses: Vec<FetchedTopic>, 0..;
    }

    /// A topic's batches.
    FetchedTopic {
        topic: String, 0..=12;
        topic_id: Uuid = Uuid::nil(), 13..;
        partitions: Vec<FetchedPartition>, 0..;
    }

    /// A partition's batches.
    FetchedPartition {
        partition_index: i32, 0..;
        error_code: i16, 0..;
        high_watermark: i64 = -1, 0..;
        last_stable_offset: i64 = -1, 4..;
        log_start_offset: i64 = -1, 5..;
        aborted_transactions: Option<Vec<AbortedTransaction>>, 4..;
        preferred_read_replica: i32 = -1, 11..;
        records: Option<Bytes>, 0..;
        @0 diverging_epoch: DivergingEpoch;
    }

    /// Where the log that was read and this one part: the end of the last epoch that both may have.
    DivergingEpoch {
        epoch: i32 = -1, 12..;
        end_offset: i64 = -1, 12..;
    }

    /// A transaction to be skipped.
    AbortedTransaction {
        producer_id: i64, 4..;
        first_offset: i64, 4..;
    }
}
