//! OffsetCommit and OffsetFetch.

use crate::codec::message;

message! {
    /// Commits a group's offsets.
    OffsetCommitRequest {
        group_id: String, 0..;
        generation_id: i32 = -1, 1..;
        member_id: String, 1..;
        group_instance_id: Option<String>, 7..;
        retention_time_ms: i64 = -1, 2..=4;
        topics: Vec<CommitTopic>, 0..;
    }

    /// A topic's offsets.
    CommitTopic {
        name: String, 0..;
        partitions: Vec<CommitPartition>, 0..;
    }

    /// A partition's offset.
    CommitPartition {
        partition_index: i32, 0..;
        committed_offset: i64, 0..;
        committed_leader_epoch: i32 = -1, 6..;
        commit_timestamp: i64 = -1, 1..=1;
        committed_metadata: Option<String>, 0..;
    }

    /// What is committed.
    OffsetCommitResponse {
        throttle_time_ms: i32, 3..;
        topics: Vec<CommittedTopic>, 0..;
    }

    /// What is committed of a topic.
    CommittedTopic {
        name: String, 0..;
        partitions: Vec<CommittedPartition>, 0..;
    }

    /// Whether a partition's offset is committed.
    CommittedPartition {
        partition_index: i32, 0..;
        error_code: i16, 0..;
    }

    /// Asks for a group's offsets: of one group below version 8, of any number from then on.
    OffsetFetchRequest {
        group_id: String, 0..=7;
        topics: Option<Vec<OffsetTopic>>, 0..=7;
        groups: Vec<OffsetGroup>, 8..;
        require_stable: bool, 7..;
    }

    /// A group, and its topics; null is all of them.
    OffsetGroup {
        group_id: String, 8..;
        member_id: Option<String>, 9..;
        member_epoch: i32 = -1, 9..;
        topics: Option<Vec<OffsetTopic>>, 8..;
    }

    /// A topic's partitions.
    OffsetTopic {
        name: String, 0..;
        partition_indexes: Vec<i32>, 0..;
    }

    /// The offsets.
    OffsetFetchResponse {
        throttle_time_ms: i32, 3..;
        topics: Vec<FetchedOffsets>, 0..=7;
        error_code: i16, 2..=7;
        groups: Vec<GroupOffsets>, 8..;
    }

    /// A group's offsets.
    GroupOffsets {
        group_id: String, 8..;
        topics: Vec<FetchedOffsets>, 8..;
        error_code: i16, 8..;
    }

    /// A topic's offsets.
    FetchedOffsets {
        name: String, 0..;
        partitions: Vec<FetchedOffset>, 0..;
    }

    /// A partition's offset, -1 where none is committed.
    FetchedOffset {
        partition_index: i32, 0..;
        committed_offset: i64 = -1, 0..;
        committed_leader_epoch: i32 = -1, 5..;
        metadata: Option<String> = Some(String::new()), 0..;
        error_code: i16, 0..;
    }

    /// Takes back what a group has committed.
    OffsetDeleteRequest {
        group_id: String, 0..;
        topics: Vec<OffsetDeleteTopic>, 0..;
    }

    /// A topic.
    OffsetDeleteTopic {
        name: String, 0..;
        partitions: Vec<OffsetDeletePartition>, 0..;
    }

    /// A partition.
    OffsetDeletePartition {
        partition_index: i32, 0..;
    }

    /// What was taken back.
    OffsetDeleteResponse {
        error_code: i16, 0..;
        throttle_time_ms: i32, 0..;
        topics: Vec<CommittedTopic>, 0..;
    }
}
