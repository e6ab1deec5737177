//! What is deleted stays so, whoever still holds it.

use super::*;
use crate::{
    broker::{QUEUE, QueueSpec},
    driver::Settlement,
    error::ErrorKind,
    id::CursorId,
    message::{Headers, Text},
    router::{Binding, Destination},
    store::Store,
};

async fn cursor(store: &MemoryStore, subscription: &Subscription) -> Vec<bytes::Bytes> {
    let cursor = CursorId {
        subscription: subscription.id,
        partition: P0,
    };
    store.cursor(cursor).await.unwrap()
}

#[tokio::test]
async fn a_queue_that_is_gone_is_not_brought_back_by_what_was_out() {
    let store = Arc::default();
    let broker = open(&store).await;
    let topic = topic(&broker, Retention::Forever).await;
    publish(&broker, 3).await;
    commit(&broker, "g", 1).await.unwrap().await.unwrap();
    broker
        .declare_queue(QueueSpec::new("/", "t"))
        .await
        .unwrap();
    let [queue, group] = [QUEUE, "g"].map(|name| topic.subscription(name).unwrap());
    let owner = broker.new_owner();
    let mut taken = Vec::new();
    for _ in 0..2 {
        taken.push(queue.get(owner).await.unwrap().unwrap().receipt);
    }
    assert!(!cursor(&store, &queue).await.is_empty());
    assert!(!cursor(&store, &group).await.is_empty());
    broker.delete_queue("/", "t", false, false).await.unwrap();
    broker.delete_group("/", "g").await.unwrap();
    let settled = queue.settle(vec![(taken[0], Settlement::Ack)]);
    settled.unwrap().await.unwrap();
    queue.release_owner(owner);
    assert_eq!(cursor(&store, &queue).await, Vec::<bytes::Bytes>::new());
    assert_eq!(cursor(&store, &group).await, Vec::<bytes::Bytes>::new());
}

#[tokio::test]
async fn a_topic_that_is_gone_leaves_nothing_and_takes_nothing() {
    let store = Arc::default();
    let broker = open(&store).await;
    let keys = async || store.scan(bytes::Bytes::new()).await.unwrap().len();
    let before = keys().await;
    let topic = topic(&broker, Retention::Forever).await;
    append(&broker, &topic, 0).unwrap();
    commit(&broker, "g", 1).await.unwrap().await.unwrap();
    assert!(keys().await > before + 2);
    broker.delete_topic("/", "t").await.unwrap();
    assert_eq!(keys().await, before);
    let refused = append(&broker, &topic, 0);
    assert!(
        matches!(refused, Err(AppendError::Other(error)) if error.kind() == ErrorKind::NotFound)
    );
    assert_eq!(keys().await, before);
}

#[tokio::test]
async fn a_publish_to_many_goes_to_those_that_are_there() {
    let store = Arc::default();
    let broker = open(&store).await;
    let mut topics = Vec::new();
    for name in ["a", "b", "c"] {
        broker
            .declare_queue(QueueSpec::new("/", name))
            .await
            .unwrap();
        let destination = Destination::Topic(name.into());
        let binding = Binding::new("amq.fanout", destination, Text::from(""));
        broker.bind("/", binding).await.unwrap();
        topics.push(broker.topic("/", name).unwrap());
    }
    // Deleted after the message was routed.
    topics[1].partition(P0).unwrap().close();
    let target = Target::Exchange {
        exchange: "amq.fanout",
        key: b"",
        more_keys: &[],
        headers: &Headers::default(),
    };
    let sent = send(&broker, target, &Message::new("m"), None);
    sent.confirm.await.unwrap();
    let mut ends = Vec::new();
    for topic in &topics {
        let log = topic.partition(P0).unwrap().log;
        let bounds = topic.bounds(P0).unwrap();
        ends.push((store.bounds(log).await.unwrap().end.0, bounds.end.0));
    }
    assert_eq!(ends, [(1, 1), (0, 0), (1, 1)]);
}
