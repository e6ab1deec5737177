//! Administration.

use async_trait::async_trait;
use standpipe_core::{
    Error, ErrorKind, Result,
    driver::{Admin, NewTopic, TopicInfo},
};
use tonic::Status;

use super::connect::Client;
use crate::{
    codec::{status_to_error, topic_from_proto},
    proto,
};

/// Administers a broker.
pub(super) struct GrpcAdmin(Client);

impl GrpcAdmin {
    pub(super) fn new(client: Client) -> Self {
        Self(client)
    }
}

#[async_trait]
impl Admin for GrpcAdmin {
    async fn list(&self) -> Result<Vec<TopicInfo>> {
        let mut client = self.0.clone();
        let listed = client.list_topics(proto::ListTopicsRequest {}).await;
        let topics = listed.map_err(failed)?.into_inner().topics;
        Ok(topics.into_iter().map(topic_from_proto).collect())
    }

    async fn describe(&self, name: &str) -> Result<TopicInfo> {
        let name = name.to_owned();
        let mut client = self.0.clone();
        let described = client
            .describe_topic(proto::DescribeTopicRequest { name })
            .await;
        let topic = described.map_err(failed)?.into_inner().topic;
        let nothing = || Error::new(ErrorKind::Invalid, "describe topic", "the answer is empty");
        topic.map(topic_from_proto).ok_or_else(nothing)
    }

    async fn create(&self, topic: NewTopic) -> Result<()> {
        let durability = match topic.durability.as_deref() {
            None => proto::Durability::Unspecified,
            Some("memory") => proto::Durability::Memory,
            Some("os") => proto::Durability::Os,
            Some("disk") => proto::Durability::Disk,
            Some(other) => {
                let message = format!("durability `{other}`; use memory, os or disk");
                return Err(Error::new(ErrorKind::Invalid, "create topic", message));
            }
        };
        let request = proto::CreateTopicRequest {
            name: topic.name,
            partitions: topic.partitions.map(std::num::NonZeroU32::get),
            retention: topic.retention,
            durability: durability.into(),
        };
        let created = self.0.clone().create_topic(request).await;
        created.map(|_| ()).map_err(failed)
    }

    async fn purge(&self, name: &str) -> Result<u64> {
        let name = name.to_owned();
        let purged = self
            .0
            .clone()
            .purge_topic(proto::PurgeTopicRequest { name })
            .await;
        Ok(purged.map_err(failed)?.into_inner().purged)
    }

    async fn delete(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        let deleted = self
            .0
            .clone()
            .delete_topic(proto::DeleteTopicRequest { name })
            .await;
        deleted.map(|_| ()).map_err(failed)
    }
}

fn failed(status: Status) -> Error {
    status_to_error("administer", &status)
}
