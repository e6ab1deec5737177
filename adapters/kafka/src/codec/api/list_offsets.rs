//! ListOffsets and OffsetForLeaderEpoch.

use crate::codec::message;

message! {
    /// Asks for offsets by time.
    ListOffsetsRequest {
        replica_id: i32 = -1, 0..;
        isolation_level: i8, 2..;
        topics: Vec<ListTopic>, 0..;
        timeout_ms: i32, 10..;
    }

    /// A topic's partitions.
    ListTopic {
        name: String, 0..;
        partitions: Vec<ListPartition>, 0..;
    }

    /// A partition and the time; -1 is the latest offset, -2 the earliest, -3 the largest timestamp's.
    ListPartition {
        partition_index: i32, 0..;
        current_leader_epoch: i32 = -1, 4..;
        timestamp: i64, 0..;
        max_num_offsets: i32 = 1, 0..=0;
    }

    /// The offsets.
    ListOffsetsResponse {
        throttle_time_ms: i32, 2..;
        topics: Vec<ListedTopic>, 0..;
    }

    /// A topic's offsets.
    ListedTopic {
        name: String, 0..;
        partitions: Vec<ListedPartition>, 0..;
    }

    /// Asks where leader epochs ended.
    EpochsRequest {
        replica_id: i32 = -1, 3..;
        topics: Vec<EpochTopic>, 0..;
    }

    /// A topic's partitions.
    EpochTopic {
        topic: String, 0..;
        partitions: Vec<EpochPartition>, 0..;
    }

    /// A partition, and the epoch of what its reader has.
    EpochPartition {
        partition: i32, 0..;
        current_leader_epoch: i32 = -1, 2..;
        leader_epoch: i32, 0..;
    }

    /// Where they ended.
    EpochsResponse {
        throttle_time_ms: i32, 2..;
        topics: Vec<EndedTopic>, 0..;
    }

    /// A topic's partitions.
    EndedTopic {
        topic: String, 0..;
        partitions: Vec<EndedPartition>, 0..;
    }

    /// The largest epoch up to the one asked for, and its end; -1 where there is none.
    EndedPartition {
        error_code: i16, 0..;
        partition: i32, 0..;
        leader_epoch: i32 = -1, 1..;
        end_offset: i64 = -1, 0..;
    }

    /// A partition's offset, -1 where there is none.
    ListedPartition {
        partition_index: i32, 0..;
        error_code: i16, 0..;
        old_style_offsets: Vec<i64>, 0..=0;
        timestamp: i64 = -1, 1..;
        offset: i64 = -1, 1..;
        leader_epoch: i32 = -1, 4..;
    }
}
