//! Acks, and the commits that follow from them.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    types::RDKafkaErrorCode,
};
use standpipe_core::{
    Error, ErrorKind, Result,
    driver::{ReceiptToken, Settlement, Settler},
};
use tokio::sync::Mutex;

use super::{
    buffer::Buffer, context::Context, failure::failure, producer::stopped, settings::ANSWER,
};

/// Commits, for each partition, the end of what is acked without a hole. Without a group, acks are
/// taken and nothing is committed.
pub(super) struct KafkaSettler {
    pub(super) topic: String,
    pub(super) buffer: Arc<Buffer>,
    /// `None` without a group. Weak, so that a settler kept longer does not keep the member.
    pub(super) group: Option<Weak<BaseConsumer<Context>>>,
    /// Partitions, from the first on, on which a group of `from=latest` is sure to hold a place. Locked
    /// by a commit: they go one after the other, since a lower one must not come last.
    pub(super) held: Mutex<Option<i32>>,
}

#[async_trait]
impl Settler for KafkaSettler {
    async fn settle(&self, settlements: Vec<(ReceiptToken, Settlement)>) -> Result<()> {
        let acks = settlements
            .into_iter()
            .map(|(receipt, settlement)| place(receipt, &settlement));
        let acks = acks.collect::<Result<Vec<_>>>()?;
        let mut held = self.held.lock().await;
        let ends = self.buffer.ack(acks);
        let Some(group) = self.group.as_ref().filter(|_| !ends.is_empty()) else {
            return Ok(());
        };
        let consumer = group.upgrade().ok_or_else(closed)?;
        let topic = self.topic.clone();
        let before = *held;
        let committing = tokio::task::spawn_blocking(move || {
            commit_without_holes(&consumer, &topic, ends, before)
        });
        *held = committing.await.map_err(stopped)??;
        Ok(())
    }
}

/// Commits `ends`, and places on what would be a hole before them; returns what is held then. Blocks.
fn commit_without_holes(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    mut ends: Vec<(i32, i64)>,
    held: Option<i32>,
) -> Result<Option<i32>> {
    if let Some(held) = held {
        let places = places_before(consumer, topic, held, &ends)?;
        ends.extend(places);
    }
    commit(consumer, topic, &ends)?;
    Ok(held.map(|held| held.max(behind(&ends))))
}

/// The partition behind the last of `ends`.
fn behind(ends: &[(i32, i64)]) -> i32 {
    let last = ends.iter().map(|(partition, _)| *partition).max();
    last.map_or(0, |last| last.saturating_add(1))
}

/// Partitions before the last of `ends` that are neither among them nor of the first `held`.
fn between(held: i32, ends: &[(i32, i64)]) -> Vec<i32> {
    let is_named = |partition: &i32| ends.iter().any(|(named, _)| named == partition);
    let all = held..behind(ends);
    all.filter(|partition| !is_named(partition)).collect()
}

/// The beginnings of partitions that were added together with those of `ends`, and of which the group
/// holds no place yet: a hole would read as a place that was never kept, and what is in it would be
/// passed over. Blocks.
fn places_before(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    held: i32,
    ends: &[(i32, i64)],
) -> Result<Vec<(i32, i64)>> {
    // Of another member's partitions that one says where it is, perhaps at this moment.
    let assigned = consumer.assignment();
    let assigned = assigned.map_err(|error| failure("look for the assignment", error))?;
    let mut between = between(held, ends);
    between.retain(|partition| assigned.find_partition(topic, *partition).is_some());
    if between.is_empty() {
        return Ok(Vec::new());
    }
    let mut list = TopicPartitionList::with_capacity(between.len());
    for partition in between {
        list.add_partition(topic, partition);
    }
    let held = consumer.committed_offsets(list, ANSWER);
    let held = held.map_err(|error| failure("look for the group's offsets", error))?;
    let places = held.elements();
    for place in &places {
        let answered = place.error();
        answered.map_err(|error| failure("look for the group's offsets", error))?;
    }
    let places = places.into_iter();
    let unheld = places.filter(|place| !matches!(place.offset(), Offset::Offset(_)));
    Ok(unheld.map(|place| (place.partition(), 0)).collect())
}

fn commit(consumer: &BaseConsumer<Context>, topic: &str, ends: &[(i32, i64)]) -> Result<()> {
    let mut list = TopicPartitionList::with_capacity(ends.len());
    for (partition, end) in ends {
        let added = list.add_partition_offset(topic, *partition, Offset::Offset(*end));
        added.map_err(|error| failure("commit", error))?;
    }
    let committed = consumer.commit(&list, CommitMode::Sync);
    match committed {
        Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::NoOffset) => Ok(()),
        other => other.map_err(|error| failure("commit", error)),
    }
}

fn place(receipt: ReceiptToken, settlement: &Settlement) -> Result<(i32, i64)> {
    if *settlement != Settlement::Ack {
        let message = "Kafka's groups only move on: they cannot release, reject or extend";
        return Err(Error::new(ErrorKind::Unsupported, "settle", message));
    }
    let partition = i32::try_from(receipt.lane.0).ok();
    let offset = i64::try_from(receipt.number).ok();
    partition.zip(offset).ok_or_else(|| {
        let message = format!("{receipt:?} was not given out by this consumer");
        Error::new(ErrorKind::Invalid, "settle", message)
    })
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "settle", "the consumer is closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_that_came_together_are_given_a_place_with_the_last_of_them() {
        let none: [i32; 0] = [];
        assert_eq!(between(4, &[]), none);
        assert_eq!(between(4, &[(1, 7), (3, 9)]), none);
        assert_eq!(between(4, &[(1, 7), (4, 1)]), none);
        assert_eq!(between(4, &[(5, 3), (7, 2)]), [4, 6]);
    }
}
