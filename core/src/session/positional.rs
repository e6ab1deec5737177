//! Replay: a position in the log, which a group remembers.

use std::sync::Arc;

use super::{Open, group_start::unheld_start, source::READ_MESSAGES};
use crate::{
    broker::{Broker, Delivery, GroupOffset, PositionalReader, Topic},
    driver::StartAt,
    error::Result,
    id::{Offset, PartitionId},
};

/// A reader, and the messages that it may still send.
pub(super) struct Positional {
    pub(super) reader: PositionalReader,
    group: Option<String>,
    /// Partitions on which a group of `from=latest` was sure to hold a place when it was opened.
    kept: Option<usize>,
    pub(super) credit: u64,
}

impl Positional {
    /// A group that starts at the latest message keeps its places before anything is read: it goes on
    /// there, even if it ends before its first commit.
    pub(super) async fn open(broker: &Broker, topic: &Arc<Topic>, open: &Open) -> Result<Self> {
        let group = open.group.as_deref();
        let keeping = group.filter(|_| open.from == StartAt::Latest);
        let held = keeping.map(|group| held_places(broker, topic, group));
        let from = match &held {
            Some(held) => unheld_start(held.iter().copied()),
            None => open.from,
        };
        let reader = broker.positional_reader(topic, group, from).await?;
        if let (Some(group), Some(held)) = (keeping, &held) {
            keep_places(broker, topic, group, &reader, held).await?;
        }
        Ok(Self {
            reader,
            group: open.group.clone(),
            kept: held.map(|held| held.len()),
            credit: 0,
        })
    }

    /// The group, and what a commit of `offsets` keeps; `None` without a group. On partitions that were
    /// added together, the ones before these get a place too: a hole would read as a place that was
    /// never kept, and what is in it would be passed over.
    pub(super) fn places(
        &self,
        broker: &Broker,
        topic: &Topic,
        offsets: &[(PartitionId, Offset)],
    ) -> Option<(String, Vec<GroupOffset>)> {
        let group = self.group.clone()?;
        let mut places = offsets.to_vec();
        let last = offsets.iter().map(|(partition, _)| partition.0 as usize);
        let last = last.max().unwrap_or_default();
        if let Some(kept) = self.kept.filter(|kept| last > *kept) {
            let held = held_places(broker, topic, &group);
            let before = unheld(&held).filter(|partition| {
                let index = partition.0 as usize;
                let is_named = offsets.iter().any(|(named, _)| named == partition);
                (kept..last).contains(&index) && !is_named
            });
            places.extend(before.map(|partition| (partition, Offset::ZERO)));
        }
        Some((group, group_offsets(topic, places)))
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
fn group_offsets(
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

/// Whether the group holds a place, partition by partition.
fn held_places(broker: &Broker, topic: &Topic, group: &str) -> Vec<bool> {
    let mut held = vec![false; topic.partition_count() as usize];
    for stored in broker.group_offsets_on(topic, group) {
        if let Some(held) = held.get_mut(stored.offset.partition.0 as usize) {
            *held = true;
        }
    }
    held
}

fn unheld(held: &[bool]) -> impl Iterator<Item = PartitionId> {
    let numbered = (0..).map(PartitionId).zip(held);
    numbered.filter_map(|(partition, held)| (!held).then_some(partition))
}

async fn keep_places(
    broker: &Broker,
    topic: &Topic,
    group: &str,
    reader: &PositionalReader,
    held: &[bool],
) -> Result<()> {
    let places =
        unheld(held).filter_map(|partition| Some((partition, reader.position(partition)?)));
    let offsets = group_offsets(topic, places);
    if offsets.is_empty() {
        return Ok(());
    }
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

    async fn commit(broker: &Broker, group: &str, offsets: &[GroupOffset]) {
        let committed = broker.group_commit("/", group, offsets).await;
        committed.unwrap().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_group_that_held_one_place_only_is_not_sent_what_was_there_before() {
        let (broker, topic) = topic().await;
        broker.grow_topic("/", "t", 4).await.unwrap();
        for lane in 0..4 {
            publish(&broker, lane).await;
        }
        let offsets = group_offsets(&topic, [(PartitionId(2), Offset(1))]);
        commit(&broker, "g", &offsets).await;
        drop(reader(&broker, &topic).await);
        publish(&broker, 3).await;
        let read = read(&broker, &topic).await;
        assert_eq!(read, [(PartitionId(3), Offset(1))]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_commit_leaves_no_hole_among_partitions_that_came_together() {
        let (broker, topic) = topic().await;
        let positional = reader(&broker, &topic).await;
        broker.grow_topic("/", "t", 3).await.unwrap();
        for lane in 1..3 {
            publish(&broker, lane).await;
        }
        let committed = [(PartitionId(2), Offset(1))];
        let (group, offsets) = positional.places(&broker, &topic, &committed).unwrap();
        commit(&broker, &group, &offsets).await;
        let read = read(&broker, &topic).await;
        assert_eq!(read, [(PartitionId(1), Offset(0))]);
    }
}
