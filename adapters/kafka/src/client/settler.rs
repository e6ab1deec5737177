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

use super::{buffer::Buffer, context::Context, failure::failure, producer::stopped};

/// Commits, for each partition, the end of what is acked without a hole. Without a group, acks are
/// taken and nothing is committed.
pub(super) struct KafkaSettler {
    pub(super) topic: String,
    pub(super) buffer: Arc<Buffer>,
    /// `None` without a group. Weak, so that a settler kept longer does not keep the member.
    pub(super) group: Option<Weak<BaseConsumer<Context>>>,
    /// Commits go one after the other: a lower one must not come last.
    pub(super) order: Mutex<()>,
}

#[async_trait]
impl Settler for KafkaSettler {
    async fn settle(&self, settlements: Vec<(ReceiptToken, Settlement)>) -> Result<()> {
        let acks = settlements
            .into_iter()
            .map(|(receipt, settlement)| place(receipt, &settlement));
        let acks = acks.collect::<Result<Vec<_>>>()?;
        let _turn = self.order.lock().await;
        let ends = self.buffer.ack(acks);
        let Some(group) = self.group.as_ref().filter(|_| !ends.is_empty()) else {
            return Ok(());
        };
        let consumer = group.upgrade().ok_or_else(closed)?;
        let topic = self.topic.clone();
        let committed = tokio::task::spawn_blocking(move || commit(&consumer, &topic, &ends));
        committed.await.map_err(stopped)?
    }
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
