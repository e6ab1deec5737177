//! Which operations clients are allowed, where they ask (KIP-430): nobody is kept from any, so these
//! are all that a resource of a kind has, as Kafka numbers them (`AclOperation`).

use crate::codec::api::metadata::UNKNOWN_OPERATIONS;

const READ: i32 = 1 << 3;
const WRITE: i32 = 1 << 4;
const CREATE: i32 = 1 << 5;
const DELETE: i32 = 1 << 6;
const ALTER: i32 = 1 << 7;
const DESCRIBE: i32 = 1 << 8;
const CLUSTER_ACTION: i32 = 1 << 9;
const DESCRIBE_CONFIGS: i32 = 1 << 10;
const ALTER_CONFIGS: i32 = 1 << 11;
const IDEMPOTENT_WRITE: i32 = 1 << 12;

/// Those on a topic.
pub(super) const ON_TOPIC: i32 =
    READ | WRITE | CREATE | DELETE | ALTER | DESCRIBE | DESCRIBE_CONFIGS | ALTER_CONFIGS;
/// Those on a group. It has no settings here.
pub(super) const ON_GROUP: i32 = READ | DELETE | DESCRIBE;
/// Those on the cluster.
pub(super) const ON_CLUSTER: i32 = CREATE
    | ALTER
    | DESCRIBE
    | CLUSTER_ACTION
    | DESCRIBE_CONFIGS
    | ALTER_CONFIGS
    | IDEMPOTENT_WRITE;

/// `operations` where the client asked for them.
pub(super) fn told(asked: bool, operations: i32) -> i32 {
    if asked {
        operations
    } else {
        UNKNOWN_OPERATIONS
    }
}
