//! How many lines a request writes to the log.

use std::sync::atomic::{AtomicUsize, Ordering};

use standpipe_core::broker::{Limits, Retention, TopicSpec};
use tracing::{
    Event, Level, Metadata, Subscriber,
    span::{Attributes, Id, Record},
    subscriber::set_default,
};

use super::*;
use crate::codec::api::delete_records::*;

/// Counts the lines of this crate that people are to see.
#[derive(Clone, Default)]
struct Lines(Arc<AtomicUsize>);

impl Lines {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN && metadata.target().starts_with("standpipe_kafka")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// A connection to a broker that has the topic `t`, which keeps all its records, and takes no other.
async fn client() -> Client {
    let limits = Limits {
        topics: 1,
        ..Limits::default()
    };
    let options = Options {
        limits,
        ..Options::default()
    };
    let broker = opened(Arc::new(MemoryStore::new()), options).await;
    let mut spec = TopicSpec::new(NAMESPACE, "t");
    spec.retention = Retention::Settled;
    broker.create_topic(spec).await.unwrap();
    connected(broker).await
}

#[tokio::test]
async fn a_request_that_fails_for_a_thousand_partitions_writes_one() {
    let client = client().await;
    let asked = DeleteRecordsRequest {
        topics: vec![ShortenTopic {
            name: "t".into(),
            partitions: vec![ShortenPartition::default(); 1000],
        }],
        ..Default::default()
    };
    let lines = Lines::default();
    let _counted = set_default(lines.clone());
    let said = crate::frontend::delete_records::answer(&client, asked).await;
    let mut told = said.topics[0].partitions.iter();
    assert!(told.all(|one| one.error_code == ErrorCode::PolicyViolation.number()));
    assert_eq!(lines.count(), 1);
}

#[tokio::test]
async fn a_request_for_a_thousand_topics_beyond_the_limit_writes_one() {
    let client = client().await;
    let topics = (0..1000).map(|index| TopicAsked {
        name: Some(format!("t{index}")),
        ..Default::default()
    });
    let asked = MetadataRequest {
        topics: Some(topics.collect()),
        allow_auto_topic_creation: true,
        ..Default::default()
    };
    let lines = Lines::default();
    let _counted = set_default(lines.clone());
    let said = crate::frontend::metadata::answer(&client, asked, 12).await;
    let mut told = said.topics.iter();
    assert!(told.all(|one| one.error_code == ErrorCode::PolicyViolation.number()));
    assert_eq!(lines.count(), 1);
}
