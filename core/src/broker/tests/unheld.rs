//! Declares whose connection goes before they are on disk: memory has what the store has.

use std::pin::pin;

use super::{
    moody::{Refusing, begin, broker_on},
    *,
};
use crate::{
    broker::{QUEUE, QueueSpec},
    error::{ErrorKind, Result},
};

/// Begins what `act` does, and gives it up before the disk has it.
async fn give_up<T>(store: &Refusing, act: impl Future<Output = Result<T>>) {
    let disk = store.hold_disk().await;
    begin(pin!(act)).await;
    drop(disk);
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_comes_about_all_the_same() {
    let store = Refusing::default();
    let broker = broker_on(&store).await;
    let queue = || QueueSpec::new("/", "q");
    give_up(&store, broker.declare_queue(queue())).await;
    let declared = broker.declare_queue(queue()).await.unwrap();
    assert!(!declared.created, "the first one was");

    let topic = broker.topic("/", "q").unwrap();
    let start = StartAt::Earliest;
    let workers = || broker.ensure_subscription(&topic, "workers", Mode::Lease, start);
    give_up(&store, workers()).await;
    let workers = workers().await.unwrap();

    give_up(&store, broker.grow_topic("/", "q", 3)).await;
    give_up(&store, broker.create_topic(TopicSpec::new("/", "t"))).await;
    let created = broker.create_topic(TopicSpec::new("/", "t")).await;
    assert_eq!(created.unwrap_err().kind(), ErrorKind::Exists);
    assert_eq!(topic.partition_count(), 3);

    let again = broker_on(&store).await.topic("/", "q").unwrap();
    assert_eq!((again.id(), again.partition_count()), (topic.id(), 3));
    let ids = [QUEUE, "workers"].map(|name| again.subscription(name).unwrap().id);
    assert_eq!(ids, [declared.subscription.id, workers.id]);
}

#[tokio::test]
async fn what_comes_while_a_subscription_is_on_its_way_to_disk_is_for_it_too() {
    let store = Refusing::default();
    let broker = broker_on(&store).await;
    let topic = topic(&broker, Retention::Forever).await;
    let disk = store.hold_disk().await;
    let mut made = pin!(lease(&broker, &topic, "workers"));
    begin(made.as_mut()).await;
    publish_at(&broker, 1, Durability::Os).await;
    drop(disk);
    let workers = made.await;
    assert!(workers.get(broker.new_owner()).await.unwrap().is_some());
}
