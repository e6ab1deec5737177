//! Metadata and DescribeCluster.

use uuid::Uuid;

use crate::codec::message;

/// Not said: which operations the client is allowed.
const UNKNOWN_OPERATIONS: i32 = i32::MIN;

message! {
    /// Asks for topics; null is all of them.
    MetadataRequest {
        topics: Option<Vec<TopicAsked>>, 0..;
        allow_auto_topic_creation: bool = true, 4..;
        include_cluster_authorized_operations: bool, 8..=10;
        include_topic_authorized_operations: bool, 8..;
    }

    /// A topic by name, or from version 10 by id.
    TopicAsked {
        topic_id: Uuid = Uuid::nil(), 10..;
        name: Option<String>, 0..;
    }

    /// Brokers and topics.
    MetadataResponse {
        throttle_time_ms: i32, 3..;
        brokers: Vec<BrokerNode>, 0..;
        cluster_id: Option<String>, 2..;
        controller_id: i32 = -1, 1..;
        topics: Vec<TopicMetadata>, 0..;
        cluster_authorized_operations: i32 = UNKNOWN_OPERATIONS, 8..=10;
    }

    /// A broker.
    BrokerNode {
        node_id: i32, 0..;
        host: String, 0..;
        port: i32, 0..;
        rack: Option<String>, 1..;
    }

    /// A topic.
    TopicMetadata {
        error_code: i16, 0..;
        name: Option<String>, 0..;
        topic_id: Uuid = Uuid::nil(), 10..;
        is_internal: bool, 1..;
        partitions: Vec<PartitionMetadata>, 0..;
        topic_authorized_operations: i32 = UNKNOWN_OPERATIONS, 8..;
    }

    /// A partition.
    PartitionMetadata {
        error_code: i16, 0..;
        partition_index: i32, 0..;
        leader_id: i32, 0..;
        leader_epoch: i32 = -1, 7..;
        replica_nodes: Vec<i32>, 0..;
        isr_nodes: Vec<i32>, 0..;
        offline_replicas: Vec<i32>, 5..;
    }

    /// Asks for the cluster.
    DescribeClusterRequest {
        include_cluster_authorized_operations: bool, 0..;
        endpoint_type: i8 = 1, 1..;
    }

    /// The cluster.
    DescribeClusterResponse {
        throttle_time_ms: i32, 0..;
        error_code: i16, 0..;
        error_message: Option<String>, 0..;
        endpoint_type: i8 = 1, 1..;
        cluster_id: String, 0..;
        controller_id: i32 = -1, 0..;
        brokers: Vec<BrokerNode>, 0..;
        cluster_authorized_operations: i32 = UNKNOWN_OPERATIONS, 0..;
    }
}
