//! ElectLeaders, AlterPartitionReassignments and ListPartitionReassignments.

use crate::codec::message;

message! {
    /// Asks for leaders to be elected; null is all partitions.
    ElectLeadersRequest {
        election_type: i8, 1..;
        topic_partitions: Option<Vec<TopicPartitions>>, 0..;
        timeout_ms: i32 = 60_000, 0..;
    }

    /// Partitions of a topic.
    TopicPartitions {
        topic: String, 0..;
        partitions: Vec<i32>, 0..;
    }

    /// What came of elections.
    ElectLeadersResponse {
        throttle_time_ms: i32, 0..;
        error_code: i16, 1..;
        replica_election_results: Vec<ElectedTopic>, 0..;
    }

    /// A topic.
    ElectedTopic {
        topic: String, 0..;
        partition_result: Vec<ElectedPartition>, 0..;
    }

    /// A partition.
    ElectedPartition {
        partition_id: i32, 0..;
        error_code: i16, 0..;
        error_message: Option<String>, 0..;
    }

    /// Moves partitions to other brokers.
    AlterPartitionReassignmentsRequest {
        timeout_ms: i32 = 60_000, 0..;
        topics: Vec<ReassignTopic>, 0..;
    }

    /// A topic.
    ReassignTopic {
        name: String, 0..;
        partitions: Vec<ReassignPartition>, 0..;
    }

    /// A partition and its brokers; null ends a move that goes on.
    ReassignPartition {
        partition_index: i32, 0..;
        replicas: Option<Vec<i32>>, 0..;
    }

    /// What is moved.
    AlterPartitionReassignmentsResponse {
        throttle_time_ms: i32, 0..;
        error_code: i16, 0..;
        error_message: Option<String>, 0..;
        responses: Vec<ReassignedTopic>, 0..;
    }

    /// A topic.
    ReassignedTopic {
        name: String, 0..;
        partitions: Vec<ReassignedPartition>, 0..;
    }

    /// A partition.
    ReassignedPartition {
        partition_index: i32, 0..;
        error_code: i16, 0..;
        error_message: Option<String>, 0..;
    }

    /// Asks for moves that go on; null is all of them.
    ListPartitionReassignmentsRequest {
        timeout_ms: i32 = 60_000, 0..;
        topics: Option<Vec<TopicPartitions>>, 0..;
    }

    /// Moves that go on.
    ListPartitionReassignmentsResponse {
        throttle_time_ms: i32, 0..;
        error_code: i16, 0..;
        error_message: Option<String>, 0..;
        topics: Vec<OngoingTopic>, 0..;
    }

    /// A topic.
    OngoingTopic {
        name: String, 0..;
        partitions: Vec<OngoingPartition>, 0..;
    }

    /// A partition that is on the move.
    OngoingPartition {
        partition_index: i32, 0..;
        replicas: Vec<i32>, 0..;
        adding_replicas: Vec<i32>, 0..;
        removing_replicas: Vec<i32>, 0..;
    }
}
