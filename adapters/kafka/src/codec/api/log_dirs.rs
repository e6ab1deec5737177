//! DescribeLogDirs and AlterReplicaLogDirs.

use crate::codec::message;

message! {
    /// Asks how much partitions take on disk; null topics are all of them.
    DescribeLogDirsRequest {
        topics: Option<Vec<SizedTopic>>, 0..;
    }

    /// A topic, and the partitions asked for.
    SizedTopic {
        topic: String, 0..;
        partitions: Vec<i32>, 0..;
    }

    /// What lies where.
    DescribeLogDirsResponse {
        throttle_time_ms: i32, 0..;
        error_code: i16, 3..;
        results: Vec<LogDir>, 0..;
    }

    /// A folder with logs; -1 octets are not known.
    LogDir {
        error_code: i16, 0..;
        log_dir: String, 0..;
        topics: Vec<LogDirTopic>, 0..;
        total_bytes: i64 = -1, 4..;
        usable_bytes: i64 = -1, 4..;
    }

    /// A topic in it.
    LogDirTopic {
        name: String, 0..;
        partitions: Vec<LogDirPartition>, 0..;
    }

    /// A partition in it.
    LogDirPartition {
        partition_index: i32, 0..;
        partition_size: i64, 0..;
        offset_lag: i64, 0..;
        is_future_key: bool, 0..;
    }

    /// Moves partitions to other folders.
    AlterReplicaLogDirsRequest {
        dirs: Vec<MovedTo>, 0..;
    }

    /// A folder, and what shall lie in it.
    MovedTo {
        path: String, 0..;
        topics: Vec<MovedTopic>, 0..;
    }

    /// A topic's partitions that are to be moved.
    MovedTopic {
        name: String, 0..;
        partitions: Vec<i32>, 0..;
    }

    /// What became of them.
    AlterReplicaLogDirsResponse {
        throttle_time_ms: i32, 0..;
        results: Vec<MovedResult>, 0..;
    }

    /// What became of a topic's partitions.
    MovedResult {
        topic_name: String, 0..;
        partitions: Vec<MovedPartition>, 0..;
    }

    /// What became of a partition.
    MovedPartition {
        partition_index: i32, 0..;
        error_code: i16, 0..;
    }
}
