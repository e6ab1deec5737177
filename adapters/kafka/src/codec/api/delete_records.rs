//! DeleteRecords.

use crate::codec::message;

message! {
    /// Takes the beginning of partitions away.
    DeleteRecordsRequest {
        topics: Vec<ShortenTopic>, 0..;
        timeout_ms: i32, 0..;
    }

    /// A topic.
    ShortenTopic {
        name: String, 0..;
        partitions: Vec<ShortenPartition>, 0..;
    }

    /// A partition, and the first offset that stays; -1 is its end.
    ShortenPartition {
        partition_index: i32, 0..;
        offset: i64, 0..;
    }

    /// Where partitions begin now.
    DeleteRecordsResponse {
        throttle_time_ms: i32, 0..;
        topics: Vec<ShortenedTopic>, 0..;
    }

    /// A topic.
    ShortenedTopic {
        name: String, 0..;
        partitions: Vec<ShortenedPartition>, 0..;
    }

    /// A partition, and its first offset.
    ShortenedPartition {
        partition_index: i32, 0..;
        low_watermark: i64 = -1, 0..;
        error_code: i16, 0..;
    }
}
