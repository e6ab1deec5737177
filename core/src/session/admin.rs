//! Administration over a wire: what is asked, and what is answered.

use crate::driver::{NewTopic, TopicInfo};

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminRequest {
    /// Lists the topics.
    List,
    /// Describes one.
    Describe(String),
    /// Creates one.
    Create(NewTopic),
    /// Purges one's queue.
    Purge(String),
    /// Deletes one.
    Delete(String),
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminReply {
    /// It was created or deleted.
    Done,
    /// The topics by name, without partitions and subscriptions.
    Topics(Vec<TopicInfo>),
    /// Everything about one.
    Topic(Box<TopicInfo>),
    /// Messages that were settled.
    Purged(u64),
}
