//! Replay: a position in the log, which a group remembers.

use std::sync::Arc;

use super::{Open, source::READ_MESSAGES};
use crate::{
    broker::{Broker, Delivery, GroupOffset, PositionalReader, Topic},
    driver::StartAt,
    error::Result,
    id::{Offset, PartitionId},
};

/// A reader, and the messages that it may still send.
pub(super) struct Positional {
    pub(super) reader: PositionalReader,
    pub(super) group: Option<String>,
    pub(super) credit: u64,
}

impl Positional {
    /// A new group that starts at the latest message keeps that place before anything is read: it
    /// goes on there, even if it ends before its first commit. A partition that is added to the topic
    /// of a group that has begun is read from its beginning.
    pub(super) async fn open(broker: &Broker, topic: &Arc<Topic>, open: &Open) -> Result<Self> {
        let group = open.group.as_deref();
        let has_begun = group.is_some_and(|group| has_begun(broker, topic, group));
        let from = match open.from {
            StartAt::Latest if has_begun => StartAt::Earliest,
            from => from,
        };
        let reader = broker.positional_reader(topic, group, from).await?;
        if let (StartAt::Latest, Some(group)) = (from, group) {
            keep_places(broker, topic, group, &reader).await?;
        }
        Ok(Self {
            reader,
            group: open.group.clone(),
            credit: 0,
        })
    }

    pub(super) async fn recv(&mut self) -> Result<Vec<Delivery>> {
        if self.credit == 0 {
            return std::future::pending().await;
        }
        let limit = usize::try_from(self.credit).unwrap_or(usize::MAX);
        let deliveries = self.reader.recv(limit.min(READ_MESSAGES)).await?;
        self.credit = self.credit.saturating_sub(deliveries.len() as u64);
        Ok(deliveries)
    }

    pub(super) async fn seek(
        &mut self,
        partitions: impl IntoIterator<Item = PartitionId>,
        to: StartAt,
    ) -> Result<()> {
        for partition in partitions {
            self.reader.seek(partition, to).await?;
        }
        Ok(())
    }
}

/// What a group that reads `topic` commits.
pub(super) fn group_offsets(
    topic: &Topic,
    offsets: impl IntoIterator<Item = (PartitionId, Offset)>,
) -> Vec<GroupOffset> {
    let offsets = offsets.into_iter().map(|(partition, offset)| GroupOffset {
        topic: topic.name().to_string(),
        partition,
        offset,
        leader_epoch: -1,
        metadata: bytes::Bytes::new(),
    });
    offsets.collect()
}

/// Whether the group has committed anything on the topic.
fn has_begun(broker: &Broker, topic: &Topic, group: &str) -> bool {
    let stored = broker.group_offsets(topic.namespace(), group);
    stored
        .iter()
        .any(|stored| *stored.offset.topic == **topic.name())
}

async fn keep_places(
    broker: &Broker,
    topic: &Topic,
    group: &str,
    reader: &PositionalReader,
) -> Result<()> {
    let partitions = (0..topic.partition_count()).map(PartitionId);
    let places = partitions.filter_map(|partition| Some((partition, reader.position(partition)?)));
    let offsets = group_offsets(topic, places);
    let committed = broker.group_commit(topic.namespace(), group, &offsets);
    committed.await?.await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        broker::{Admission, LaneId, Options, Publish, Target, TopicSpec},
        codec::Codecs,
        message::Message,
        native::NativeCodec,
        session::OpenMode,
        store::MemoryStore,
    };

    async fn topic() -> (Broker, Arc<Topic>) {
        let store = Arc::new(MemoryStore::new());
        let broker = Broker::open(store, Codecs::default(), Options::default());
        let broker = broker.await.unwrap();
        let topic = broker.create_topic(TopicSpec::new("/", "t")).await.unwrap();
        (broker, topic)
    }

    async fn publish(broker: &Broker, lane: u64) {
        let published = broker.publish(Publish {
            namespace: "/",
            target: Target::Topic("t"),
            draft: NativeCodec::encode(&Message::new("m")),
            key: None,
            lane: LaneId(lane),
            durability: None,
            admission: Admission::none(),
        });
        published.unwrap().confirm.await.unwrap();
    }

    /// A reader of `from=latest` with a group.
    async fn reader(broker: &Broker, topic: &Arc<Topic>) -> Positional {
        let mut open = Open::new("t");
        open.mode = OpenMode::Positional;
        open.group = Some("g".to_owned());
        open.from = StartAt::Latest;
        let mut positional = Positional::open(broker, topic, &open).await.unwrap();
        positional.credit = 10;
        positional
    }

    async fn read(broker: &Broker, topic: &Arc<Topic>) -> Vec<(PartitionId, Offset)> {
        let mut reader = reader(broker, topic).await;
        let read = tokio::time::timeout(Duration::from_secs(60), reader.recv());
        let receipts = read.await.unwrap().unwrap().into_iter();
        receipts
            .map(|delivery| (delivery.receipt.partition, delivery.receipt.offset))
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_group_that_committed_nothing_goes_on_where_it_first_started() {
        let (broker, topic) = topic().await;
        publish(&broker, 0).await;
        drop(reader(&broker, &topic).await);
        publish(&broker, 0).await;
        for _ in 0..2 {
            let read = read(&broker, &topic).await;
            assert_eq!(read, [(PartitionId(0), Offset(1))]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_partition_that_came_later_is_read_from_its_beginning() {
        let (broker, topic) = topic().await;
        drop(reader(&broker, &topic).await);
        broker.grow_topic("/", "t", 2).await.unwrap();
        publish(&broker, 1).await;
        let read = read(&broker, &topic).await;
        assert_eq!(read, [(PartitionId(1), Offset(0))]);
    }
}
