//! What a topic has at most.

use super::*;
use crate::{broker::Limits, driver::StartAt, error::ErrorKind};

async fn limited(limits: Limits) -> Broker {
    let options = Options {
        limits,
        ..Options::default()
    };
    let store: Arc<MemoryStore> = Arc::default();
    let opened = Broker::open(store, Codecs::default(), options);
    opened.await.unwrap()
}

fn of(name: &str, partitions: u32) -> TopicSpec {
    TopicSpec {
        partitions,
        ..TopicSpec::new("/", name)
    }
}

#[tokio::test]
async fn partitions_have_a_limit_over_all_topics() {
    let broker = limited(Limits {
        all_partitions: 10,
        ..Limits::default()
    })
    .await;
    broker.create_topic(of("a", 6)).await.unwrap();
    let refused = broker.create_topic(of("b", 5)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TooLarge);
    assert!(refused.message().contains("limit of 10"), "{refused}");
    broker.create_topic(of("b", 4)).await.unwrap();
    let refused = broker.grow_topic("/", "b", 5).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TooLarge);
    broker.delete_topic("/", "a").await.unwrap();
    broker.grow_topic("/", "b", 10).await.unwrap();
    let refused = broker.create_topic(of("c", 1)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TooLarge, "what was added counts");
}

#[tokio::test]
async fn cursors_have_a_limit_over_all_subscriptions() {
    let broker = limited(Limits {
        cursors: 10,
        ..Limits::default()
    })
    .await;
    let topic = broker.create_topic(of("a", 4)).await.unwrap();
    for name in ["one", "two"] {
        lease(&broker, &topic, name).await;
    }
    let (mode, start) = (Mode::Lease, StartAt::Earliest);
    let third = broker.ensure_subscription(&topic, "three", mode, start);
    let refused = third.await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TooLarge);
    assert!(refused.message().contains("limit of 10"), "{refused}");
    broker.grow_topic("/", "a", 5).await.unwrap();
    let refused = broker.grow_topic("/", "a", 6).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TooLarge);
    let queue = broker.declare_queue(crate::broker::QueueSpec::new("/", "q"));
    assert_eq!(queue.await.unwrap_err().kind(), ErrorKind::TooLarge);
    broker.delete_topic("/", "a").await.unwrap();
    drop(topic);
    let queue = broker.declare_queue(crate::broker::QueueSpec::new("/", "q"));
    queue.await.unwrap();
}

#[tokio::test]
async fn subscriptions_and_their_names_have_limits() {
    let limits = Limits {
        subscriptions: 2,
        subscription_name: 5,
        ..Limits::default()
    };
    let broker = limited(limits).await;
    let topic = topic(&broker, Retention::Forever).await;
    let subscribe = |name: &'static str| {
        let mode = Mode::Positional;
        broker.ensure_subscription(&topic, name, mode, StartAt::Earliest)
    };
    let refused = subscribe("longer").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TooLarge);
    assert!(refused.message().contains("up to 5 octets"), "{refused}");
    for name in ["one", "two", "one"] {
        subscribe(name).await.unwrap();
    }
    let refused = subscribe("three").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TooLarge);
    assert!(refused.message().contains("2 subscriptions"), "{refused}");
}
