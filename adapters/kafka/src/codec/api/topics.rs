//! CreateTopics, DeleteTopics and CreatePartitions.

use uuid::Uuid;

use crate::codec::message;

message! {
    /// Creates topics.
    CreateTopicsRequest {
        topics: Vec<CreatableTopic>, 0..;
        timeout_ms: i32 = 60_000, 0..;
        validate_only: bool, 1..;
    }

    /// A topic to be created.
    CreatableTopic {
        name: String, 0..;
        num_partitions: i32, 0..;
        replication_factor: i16, 0..;
        assignments: Vec<ReplicaAssignment>, 0..;
        configs: Vec<CreatableConfig>, 0..;
    }

    /// Which brokers have a partition.
    ReplicaAssignment {
        partition_index: i32, 0..;
        broker_ids: Vec<i32>, 0..;
    }

    /// A setting of a topic.
    CreatableConfig {
        name: String, 0..;
        value: Option<String>, 0..;
    }

    /// What was created.
    CreateTopicsResponse {
        throttle_time_ms: i32, 2..;
        topics: Vec<CreatedTopic>, 0..;
    }

    /// What became of a topic.
    CreatedTopic {
        name: String, 0..;
        topic_id: Uuid = Uuid::nil(), 7..;
        error_code: i16, 0..;
        error_message: Option<String>, 1..;
        num_partitions: i32 = -1, 5..;
        replication_factor: i16 = -1, 5..;
        configs: Option<Vec<CreatedConfig>>, 5..;
    }

    /// A setting that holds for it.
    CreatedConfig {
        name: String, 5..;
        value: Option<String>, 5..;
        read_only: bool, 5..;
        config_source: i8 = -1, 5..;
        is_sensitive: bool, 5..;
    }

    /// Deletes topics: by name below version 6, by name or id from then on.
    DeleteTopicsRequest {
        topics: Vec<DeletableTopic>, 6..;
        topic_names: Vec<String>, 0..=5;
        timeout_ms: i32, 0..;
    }

    /// A topic by name or id.
    DeletableTopic {
        name: Option<String>, 6..;
        topic_id: Uuid = Uuid::nil(), 6..;
    }

    /// What was deleted.
    DeleteTopicsResponse {
        throttle_time_ms: i32, 1..;
        responses: Vec<DeletedTopic>, 0..;
    }

    /// What became of a topic.
    DeletedTopic {
        name: Option<String>, 0..;
        topic_id: Uuid = Uuid::nil(), 6..;
        error_code: i16, 0..;
        error_message: Option<String>, 5..;
    }

    /// Adds partitions.
    CreatePartitionsRequest {
        topics: Vec<GrowTopic>, 0..;
        timeout_ms: i32, 0..;
        validate_only: bool, 0..;
    }

    /// A topic and how many partitions it should have.
    GrowTopic {
        name: String, 0..;
        count: i32, 0..;
        assignments: Option<Vec<GrowAssignment>>, 0..;
    }

    /// Which brokers have a new partition.
    GrowAssignment {
        broker_ids: Vec<i32>, 0..;
    }

    /// What was added.
    CreatePartitionsResponse {
        throttle_time_ms: i32, 0..;
        results: Vec<GrownTopic>, 0..;
    }

    /// What became of a topic.
    GrownTopic {
        name: String, 0..;
        error_code: i16, 0..;
        error_message: Option<String>, 0..;
    }
}
