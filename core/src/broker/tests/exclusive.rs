//! Queues of one connection, and such as no restart survive, on a topic that was there before.

use super::*;
use crate::broker::{QUEUE, QueueSpec};

#[tokio::test]
async fn an_exclusive_queue_goes_with_its_connection_and_the_topic_stays() {
    let broker = open(&Arc::default()).await;
    let topic = topic(&broker, Retention::Forever).await;
    let owner = broker.new_owner();
    let mine = QueueSpec {
        exclusive: Some(owner),
        ..QueueSpec::new("/", "t")
    };
    broker.declare_queue(mine).await.unwrap();
    broker.owner_gone(broker.new_owner()).await;
    assert!(topic.subscription(QUEUE).is_some());
    broker.owner_gone(owner).await;
    assert!(topic.subscription(QUEUE).is_none());
    assert!(!topic.is_gone());
    let again = broker.declare_queue(QueueSpec::new("/", "t")).await;
    assert!(again.unwrap().created);
}

#[tokio::test]
async fn what_is_deleted_is_not_remembered_for_its_connection() {
    let broker = open(&Arc::default()).await;
    topic(&broker, Retention::Forever).await;
    for name in ["t", "q"] {
        let mine = QueueSpec {
            exclusive: Some(broker.new_owner()),
            ..QueueSpec::new("/", name)
        };
        broker.declare_queue(mine).await.unwrap();
        broker.delete_queue("/", name, false, false).await.unwrap();
    }
    assert!(broker.inner.owned.is_empty());
}

#[tokio::test]
async fn a_queue_that_is_not_durable_or_of_a_connection_ends_with_the_process() {
    let store = Arc::default();
    let broker = open(&store).await;
    topic(&broker, Retention::Forever).await;
    let exclusive = Some(broker.new_owner());
    for (durable, exclusive, stays) in [
        (true, None, true),
        (false, None, false),
        (true, exclusive, false),
    ] {
        let broker = open(&store).await;
        let spec = QueueSpec {
            durable,
            exclusive,
            ..QueueSpec::new("/", "t")
        };
        broker.declare_queue(spec).await.unwrap();
        let again = open(&store).await;
        let queue = again.topic("/", "t").unwrap().subscription(QUEUE);
        assert_eq!(queue.is_some(), stays);
        if stays {
            again.delete_queue("/", "t", false, false).await.unwrap();
        }
    }
}
