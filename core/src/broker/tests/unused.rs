//! Queues that go when they are unused, by tokio's paused clock.

use std::time::Duration;

use tokio::time::sleep;

use super::*;
use crate::{
    broker::{Attach, Credit, QUEUE, QueueSpec},
    router::{Binding, Destination},
};

const AFTER: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_millis(1);

fn spec(durable: bool) -> QueueSpec {
    QueueSpec {
        durable,
        unused_for: Some(AFTER),
        ..QueueSpec::new("/", "t")
    }
}

async fn declare(broker: &Broker, durable: bool) -> Arc<Subscription> {
    let declared = broker.declare_queue(spec(durable)).await;
    declared.unwrap().subscription
}

fn is_there(broker: &Broker) -> bool {
    broker.queue("/", "t", None).is_ok()
}

/// Waits, by the paused clock, for the end of the time that begins now: fails where it goes before or stays.
async fn wait_for_its_end(broker: &Broker) {
    sleep(AFTER - MOMENT).await;
    assert!(is_there(broker), "not before its time");
    sleep(2 * MOMENT).await;
    assert!(!is_there(broker), "its time is over");
}

#[tokio::test(start_paused = true)]
async fn an_unused_queue_goes_with_its_topic_messages_and_bindings() {
    for durable in [true, false] {
        let store = Arc::new(MemoryStore::new());
        let broker = open(&store).await;
        declare(&broker, durable).await;
        let to = Destination::Topic("t".into());
        let binding = Binding::new("amq.fanout", to, "");
        broker.bind("/", binding).await.unwrap();
        publish(&broker, 3).await;
        wait_for_its_end(&broker).await;
        assert!(broker.topic("/", "t").is_none());
        let bindings = broker.inner.state.read().routers["/"].bindings().count();
        assert_eq!(bindings, 0);
        drop(broker);
        assert!(!is_there(&open(&store).await), "nor after a restart");
    }
}

#[tokio::test(start_paused = true)]
async fn each_use_begins_its_time_anew() {
    let broker = open(&Arc::new(MemoryStore::new())).await;
    let queue = declare(&broker, true).await;
    let almost = AFTER - MOMENT;
    sleep(almost).await;
    declare(&broker, true).await;
    sleep(almost).await;
    assert!(queue.get(broker.new_owner()).await.unwrap().is_none());
    sleep(almost).await;
    queue.used();
    sleep(almost).await;
    let attach = Attach {
        owner: broker.new_owner(),
        credit: Credit::window(1),
        exclusive: false,
        lease: None,
    };
    let consumer = broker.attach(&queue, attach).unwrap();
    sleep(3 * AFTER).await;
    assert!(is_there(&broker), "a consumer uses it all the time");
    drop(consumer);
    wait_for_its_end(&broker).await;
}

#[tokio::test(start_paused = true)]
async fn publishing_is_no_use() {
    let broker = open(&Arc::new(MemoryStore::new())).await;
    declare(&broker, true).await;
    sleep(AFTER / 2).await;
    publish(&broker, 1).await;
    sleep(AFTER / 2 + MOMENT).await;
    assert!(!is_there(&broker));
}

#[tokio::test(start_paused = true)]
async fn a_restart_begins_the_time_of_a_durable_queue_anew() {
    let store = Arc::new(MemoryStore::new());
    let broker = open(&store).await;
    declare(&broker, true).await;
    sleep(AFTER - MOMENT).await;
    drop(broker);
    let broker = open(&store).await;
    wait_for_its_end(&broker).await;
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_was_there_before_stays_and_a_queue_declared_later_has_its_own_time() {
    let broker = open(&Arc::new(MemoryStore::new())).await;
    let topic = topic(&broker, Retention::Forever).await;
    publish(&broker, 3).await;
    declare(&broker, true).await;
    sleep(2 * AFTER).await;
    assert!(topic.subscription(QUEUE).is_none() && !topic.is_gone());
    assert_eq!(topic.bounds(P0).unwrap().end, Offset(3));

    assert_eq!(declare(&broker, true).await.counts().ready, 3);
    sleep(AFTER / 2).await;
    broker.delete_queue("/", "t", false, false).await.unwrap();
    assert_eq!(broker.inner.alarms.len(), 0, "a deleted queue leaves none");
    declare(&broker, true).await;
    wait_for_its_end(&broker).await;
}
