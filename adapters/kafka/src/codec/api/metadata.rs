//! Metadata, DescribeTopicPartitions and DescribeCluster.

use uuid::Uuid;

use crate::codec::{Malformed, Reader, Wire, Writer, message};

/// Not said: which operations the client is allowed.
pub(crate) const UNKNOWN_OPERATIONS: i32 = i32::MIN;

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
        brokers: Vec<ClusterBroker>, 0..;
        cluster_authorized_operations: i32 = UNKNOWN_OPERATIONS, 0..;
    }

    /// A broker of the cluster: here its rack stands in every version.
    ClusterBroker {
        node_id: i32, 0..;
        host: String, 0..;
        port: i32, 0..;
        rack: Option<String>, 0..;
    }

    /// Asks for topics, a page at a time; none named is all of them (KIP-966).
    DescribeTopicPartitionsRequest {
        topics: Vec<TopicName>, 0..;
        response_partition_limit: i32 = 2000, 0..;
        cursor: Option<Cursor>, 0..;
    }

    /// A topic by its name.
    TopicName {
        name: String, 0..;
    }

    /// Where a page begins.
    Cursor {
        topic_name: String, 0..;
        partition_index: i32, 0..;
    }

    /// A page of topics, and where the next one begins.
    DescribeTopicPartitionsResponse {
        throttle_time_ms: i32, 0..;
        topics: Vec<TopicPage>, 0..;
        next_cursor: Option<Cursor>, 0..;
    }

    /// A topic, or the part of it that is on the page.
    TopicPage {
        error_code: i16, 0..;
        name: Option<String>, 0..;
        topic_id: Uuid = Uuid::nil(), 0..;
        is_internal: bool, 0..;
        partitions: Vec<PartitionPlace>, 0..;
        topic_authorized_operations: i32 = UNKNOWN_OPERATIONS, 0..;
    }

    /// A partition, and which copies of it can lead.
    PartitionPlace {
        error_code: i16, 0..;
        partition_index: i32, 0..;
        leader_id: i32, 0..;
        leader_epoch: i32 = -1, 0..;
        replica_nodes: Vec<i32>, 0..;
        isr_nodes: Vec<i32>, 0..;
        eligible_leader_replicas: Option<Vec<i32>>, 0..;
        last_known_elr: Option<Vec<i32>>, 0..;
        offline_replicas: Vec<i32>, 0..;
    }
}

impl Wire for Option<Cursor> {
    fn read(reader: &mut Reader, version: i16) -> Result<Self, Malformed> {
        match i8::read(reader, version)? {
            absent if absent < 0 => Ok(None),
            _ => Cursor::read(reader, version).map(Some),
        }
    }

    fn write(&self, writer: &mut Writer, version: i16) {
        match self {
            None => (-1i8).write(writer, version),
            Some(cursor) => {
                1i8.write(writer, version);
                cursor.write(writer, version);
            }
        }
    }
}
