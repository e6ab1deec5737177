//! Looking at and changing what a system holds.

use std::num::NonZeroU32;

use async_trait::async_trait;
use serde::Serialize;

use crate::error::Result;

/// A topic to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// Its partitions; `None` leaves it to the system.
    pub partitions: Option<NonZeroU32>,
    /// `settled`, `forever`, a time such as `7d`, a size of each partition such as `10GB`, or both
    /// as `7d,10GB`; `compact`, alone or with limits, as `compact,7d`, and settings, as
    /// `compact,grace=24h,lag=5m,dirty=0.5`. `None` leaves it to the system.
    pub retention: Option<String>,
    /// `memory`, `os` or `disk`; `None` leaves it to the system.
    pub durability: Option<String>,
}

/// A topic as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct TopicInfo {
    /// Its name.
    pub name: String,
    /// Its retention, in the words of [`NewTopic::retention`], where the system tells.
    pub retention: Option<String>,
    /// Its durability, where the system tells.
    pub durability: Option<String>,
    /// Its partitions in order; empty where a listing leaves them out.
    pub partitions: Vec<PartitionInfo>,
    /// Its subscriptions; empty where the system does not tell.
    pub subscriptions: Vec<SubscriptionInfo>,
    /// The subscription that keeps most of the log from being trimmed, if one does.
    pub held_by: Option<String>,
}

/// One partition of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct PartitionInfo {
    /// The oldest offset that is still there.
    pub start: u64,
    /// The offset behind the newest.
    pub end: u64,
    /// Octets of the bodies in between.
    pub octets: u64,
}

/// One subscription of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SubscriptionInfo {
    /// Its name: a group's id, or `queue`.
    pub name: String,
    /// `positional`, `lease` or `keyed`.
    pub mode: String,
    /// Messages that wait for it.
    pub ready: u64,
    /// Messages that it was given and has not settled.
    pub leased: u64,
    /// Consumers attached.
    pub consumers: u64,
    /// The floor on each partition: everything below is settled.
    pub floors: Vec<u64>,
    /// Messages that a limit of time or size took before it settled them, since the broker
    /// started.
    pub lost: u64,
}

/// Administers one system.
#[async_trait]
pub trait Admin: Send + Sync {
    /// The topics, sorted by name, without their subscriptions.
    ///
    /// # Errors
    /// `Disconnected` where nobody answers.
    async fn list(&self) -> Result<Vec<TopicInfo>>;

    /// Everything about one topic.
    ///
    /// # Errors
    /// `NotFound`.
    async fn describe(&self, name: &str) -> Result<TopicInfo>;

    /// Creates a topic; done when it can be used.
    ///
    /// # Errors
    /// `Exists`, or `Unsupported` for a setting that the system does not have.
    async fn create(&self, topic: NewTopic) -> Result<()>;

    /// Removes all messages that are there now, and returns how many.
    ///
    /// # Errors
    /// `NotFound`, or `Unsupported`.
    async fn purge(&self, name: &str) -> Result<u64>;

    /// Deletes a topic with all that is in it.
    ///
    /// # Errors
    /// `NotFound`.
    async fn delete(&self, name: &str) -> Result<()>;
}
