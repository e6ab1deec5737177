//! What a topic is declared as.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Retention;
use crate::{
    dispatcher::OwnerId,
    error::{Error, ErrorKind, Result},
    store::Durability,
};

/// A topic as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicSpec {
    /// The namespace (AMQP virtual host).
    pub namespace: String,
    /// The name: UTF-8, 1 to 255 octets.
    pub name: String,
    /// Partitions, at least 1.
    pub partitions: u32,
    /// How long it exists.
    pub lifetime: Lifetime,
    /// What is kept.
    pub retention: Retention,
    /// What a publish survives where its protocol is silent.
    pub durability: Durability,
    /// Who asked for it.
    pub origin: Origin,
    /// Octets of one message or producer's batch at most, where that is less than the broker's limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_bytes: Option<usize>,
    /// What a protocol's admin set under that protocol's own names, to be read back by it. It means
    /// nothing to the broker.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notes: BTreeMap<String, String>,
}

/// Which verb brought a topic into being.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A topic verb of any protocol: only a topic verb removes it.
    Topic,
    /// `queue.declare`: it goes with its queue.
    Queue,
}

/// How long a topic exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lifetime {
    /// Until it is deleted; survives restarts.
    Permanent,
    /// Until the process ends; lives in memory.
    Process,
    /// Until its owner goes; lives in memory.
    #[serde(skip)]
    Owner(OwnerId),
}

impl TopicSpec {
    /// A permanent topic of one partition with the defaults of a topic verb.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
            partitions: 1,
            lifetime: Lifetime::Permanent,
            retention: Retention::default(),
            durability: Durability::Disk,
            origin: Origin::Topic,
            message_bytes: None,
            notes: BTreeMap::new(),
        }
    }

    /// Checks name and partitions.
    ///
    /// # Errors
    /// `Invalid` with what is wrong.
    pub fn check(&self, partition_limit: u32) -> Result<()> {
        let invalid =
            |message: String| Err(Error::new(ErrorKind::Invalid, "create topic", message));
        if self.name.is_empty() || self.name.len() > 255 {
            let octets = self.name.len();
            return invalid(format!(
                "a topic's name has 1 to 255 octets, this one {octets}"
            ));
        }
        if self.partitions == 0 || self.partitions > partition_limit {
            let asked = self.partitions;
            return invalid(format!(
                "{asked} partitions; 1 to {partition_limit} are possible"
            ));
        }
        Ok(())
    }
}
