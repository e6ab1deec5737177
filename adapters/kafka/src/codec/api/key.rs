//! Which APIs are served, and in which versions.

use std::ops::RangeInclusive;

macro_rules! apis {
    ($($name:ident = $key:literal, $versions:expr, flexible from $flexible:literal;)*) => {
        /// An API that is served.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum ApiKey {
            $($name = $key,)*
        }

        impl ApiKey {
            /// All of them.
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];

            /// The API of that number.
            pub(crate) fn from_number(number: i16) -> Option<Self> {
                match number {
                    $($key => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The versions that are served.
            pub(crate) fn versions(self) -> RangeInclusive<i16> {
                match self {
                    $(Self::$name => $versions,)*
                }
            }

            /// Whether a version has compact lengths and tags (KIP-482).
            pub(crate) fn is_flexible(self, version: i16) -> bool {
                match self {
                    $(Self::$name => version >= $flexible,)*
                }
            }
        }
    };
}

// Produce is announced from 0: librdkafka stops compressing otherwise (KAFKA-18659). Below 3 it is
// answered with an error, since those versions carry message sets of a format before batches.
apis! {
    Produce = 0, 0..=12, flexible from 9;
    Fetch = 1, 4..=17, flexible from 12;
    ListOffsets = 2, 0..=10, flexible from 6;
    Metadata = 3, 0..=12, flexible from 9;
    OffsetCommit = 8, 0..=9, flexible from 8;
    OffsetFetch = 9, 0..=9, flexible from 6;
    FindCoordinator = 10, 0..=6, flexible from 3;
    JoinGroup = 11, 0..=9, flexible from 6;
    Heartbeat = 12, 0..=4, flexible from 4;
    LeaveGroup = 13, 0..=5, flexible from 4;
    SyncGroup = 14, 0..=5, flexible from 4;
    DescribeGroups = 15, 0..=5, flexible from 5;
    ListGroups = 16, 0..=5, flexible from 3;
    ApiVersions = 18, 0..=4, flexible from 3;
    CreateTopics = 19, 0..=7, flexible from 5;
    DeleteTopics = 20, 0..=6, flexible from 4;
    DeleteRecords = 21, 0..=2, flexible from 2;
    InitProducerId = 22, 0..=5, flexible from 2;
    OffsetForLeaderEpoch = 23, 2..=4, flexible from 4;
    DescribeConfigs = 32, 0..=4, flexible from 4;
    AlterConfigs = 33, 0..=2, flexible from 2;
    AlterReplicaLogDirs = 34, 1..=2, flexible from 2;
    DescribeLogDirs = 35, 0..=4, flexible from 2;
    CreatePartitions = 37, 0..=3, flexible from 2;
    DeleteGroups = 42, 0..=2, flexible from 2;
    ElectLeaders = 43, 0..=2, flexible from 2;
    IncrementalAlterConfigs = 44, 0..=1, flexible from 1;
    AlterPartitionReassignments = 45, 0..=0, flexible from 0;
    ListPartitionReassignments = 46, 0..=0, flexible from 0;
    OffsetDelete = 47, 0..=0, flexible from 1;
    DescribeCluster = 60, 0..=1, flexible from 0;
    DescribeProducers = 61, 0..=0, flexible from 0;
    ListConfigResources = 74, 0..=1, flexible from 0;
    DescribeTopicPartitions = 75, 0..=0, flexible from 0;
}

impl ApiKey {
    /// The number on the wire.
    pub(crate) fn number(self) -> i16 {
        self as i16
    }

    /// Whether it may be answered a second time: it changes nothing that is not as it asks then.
    pub(crate) fn is_repeatable(self) -> bool {
        matches!(
            self,
            Self::Fetch
                | Self::ListOffsets
                | Self::Metadata
                | Self::OffsetFetch
                | Self::FindCoordinator
                | Self::DescribeGroups
                | Self::ListGroups
                | Self::OffsetForLeaderEpoch
                | Self::DescribeConfigs
                | Self::DescribeLogDirs
                | Self::ListPartitionReassignments
                | Self::DescribeCluster
                | Self::DescribeProducers
                | Self::ListConfigResources
                | Self::DescribeTopicPartitions
        )
    }
}
