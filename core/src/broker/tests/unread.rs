//! What cannot be read for a while, or is trimmed between the lease and the read.

use std::{pin::pin, time::Duration};

use super::{
    moody::{Refusing, begin, broker_on},
    *,
};
use crate::{
    broker::{Attach, Attachment, Credit},
    driver::Settlement,
};

fn attach(broker: &Broker, workers: &Arc<Subscription>, window: u64) -> Attachment {
    let attach = Attach {
        owner: broker.new_owner(),
        credit: Credit::window(window),
        exclusive: false,
        lease: None,
    };
    broker.attach(workers, attach).unwrap()
}

#[tokio::test]
async fn what_is_trimmed_before_it_is_read_takes_nothing_else_along() {
    let store = Refusing::default();
    let broker = broker_on(&store).await;
    let topic = topic(&broker, Retention::Forever).await;
    let workers = lease(&broker, &topic, "workers").await;
    publish(&broker, 10).await;
    let reads = store.hold_reads().await;
    let mut got = pin!(workers.get(broker.new_owner()));
    begin(got.as_mut()).await;
    broker.trim(&topic, P0, Some(Offset(4))).await.unwrap();
    drop(reads);
    let got = got.await.unwrap().unwrap();
    assert_eq!(got.receipt.offset, Offset(4));
    assert_eq!(workers.counts().ready, 5);

    let reads = store.hold_reads().await;
    let mut consumer = attach(&broker, &workers, 0);
    begin(pin!(consumer.recv(1))).await;
    broker.trim(&topic, P0, Some(Offset(7))).await.unwrap();
    drop(reads);
    let mut came = Vec::new();
    while came.len() < 3 {
        came.extend(offsets(&consumer.recv(9).await.unwrap()));
    }
    assert_eq!(came, [7, 8, 9]);
}

#[tokio::test]
async fn what_is_damaged_is_not_answered_from_another_partition() {
    let store = Refusing::default();
    let broker = broker_on(&store).await;
    let topic = topic(&broker, Retention::Forever).await;
    broker.grow_topic("/", "t", 2).await.unwrap();
    let workers = lease(&broker, &topic, "workers").await;
    for lane in [0, 1].into_iter().cycle().take(6) {
        publish_in(&broker, lane).await;
    }
    let p1 = PartitionId(1);
    store.spoil(Some(topic.partition(p1).unwrap().log));
    let mut consumer = attach(&broker, &workers, 0);
    let mut came = Vec::new();
    while came.len() < 3 {
        came.extend(consumer.recv(9).await.unwrap());
    }
    assert!(came.iter().all(|delivery| delivery.receipt.partition == P0));
    let more = tokio::time::timeout(Duration::from_millis(200), consumer.recv(9));
    assert!(more.await.is_err(), "nothing of the damaged one");
    assert_eq!(workers.floor(p1), Some(Offset(0)));
}

#[tokio::test]
async fn a_reader_follows_a_start_that_the_store_does_not_have_yet() {
    let store = Refusing::default();
    let broker = broker_on(&store).await;
    let topic = topic(&broker, Retention::Forever).await;
    publish(&broker, 10).await;
    let reader = broker.positional_reader(&topic, None, StartAt::Earliest);
    let reader = reader.await.unwrap();
    let partition = topic.partition(P0).unwrap();
    partition.trim(Offset(4));
    let read = reader.entries(P0, partition.log, Offset(0), 1).await;
    assert_eq!(read.unwrap().unwrap_err(), Offset(4));
}

#[tokio::test(start_paused = true)]
async fn what_is_behind_an_offset_that_never_reads_is_delivered() {
    let store = Refusing::default();
    let broker = broker_on(&store).await;
    let topic = topic(&broker, Retention::Forever).await;
    let workers = lease(&broker, &topic, "workers").await;
    publish(&broker, 10).await;
    store.fail_reads_of(3..6);
    let mut consumer = attach(&broker, &workers, 1);
    let mut came = Vec::new();
    while came.len() < 7 {
        let [delivery] = consumer.recv(9).await.unwrap().try_into().unwrap();
        came.push(delivery.receipt.offset.0);
        let acked = workers.settle(vec![(delivery.receipt, Settlement::Ack)]);
        acked.unwrap().await.unwrap();
    }
    assert_eq!(came, [0, 1, 2, 6, 7, 8, 9]);
    store.fail_reads_of(0..0);
    for n in 3..6 {
        let [delivery] = consumer.recv(9).await.unwrap().try_into().unwrap();
        let receipt = delivery.receipt;
        assert_eq!((receipt.offset.0, delivery.attempts), (n, 0));
        let acked = workers.settle(vec![(receipt, Settlement::Ack)]);
        acked.unwrap().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_behind_a_damaged_message_is_delivered_one_by_one_too() {
    let store = Refusing::default();
    let broker = broker_on(&store).await;
    let topic = topic(&broker, Retention::Forever).await;
    let workers = lease(&broker, &topic, "workers").await;
    publish(&broker, 3).await;
    store.ruin(0..1);
    let mut consumer = attach(&broker, &workers, 1);
    let [delivery] = consumer.recv(9).await.unwrap().try_into().unwrap();
    assert_eq!(delivery.receipt.offset, Offset(1));
    consumer.cancel().await;
    let owner = broker.new_owner();
    let got = workers.get(owner).await.unwrap().unwrap();
    assert_eq!(got.receipt.offset, Offset(2));
}

#[tokio::test]
async fn a_trim_holds_at_once_and_though_nobody_waits_for_it() {
    let store = Refusing::default();
    let broker = broker_on(&store).await;
    let topic = topic(&broker, Retention::Forever).await;
    publish(&broker, 10).await;
    let reader = broker.positional_reader(&topic, None, StartAt::Earliest);
    let mut reader = reader.await.unwrap();
    let disk = store.hold_disk().await;
    begin(pin!(broker.trim(&topic, P0, Some(Offset(4))))).await;
    drop(disk);
    assert_eq!(topic.bounds(P0).unwrap().start, Offset(4));
    assert_eq!(offsets(&reader.recv(1).await.unwrap()), [4]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_tried_a_few_times_a_second() {
    let store = Refusing::default();
    let broker = broker_on(&store).await;
    let topic = topic(&broker, Retention::Forever).await;
    let workers = lease(&broker, &topic, "workers").await;
    let mut consumer = attach(&broker, &workers, 1);
    store.spoil(Some(topic.partition(P0).unwrap().log));
    publish(&broker, 3).await;
    let before = store.reads();
    let waits = tokio::time::timeout(Duration::from_secs(2), consumer.recv(1)).await;
    assert!(waits.is_err());
    let tries = store.reads() - before;
    assert!((1..=4).contains(&tries), "{tries} tries in two seconds");
    store.spoil(None);
    assert_eq!(offsets(&consumer.recv(1).await.unwrap()), [0]);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_read_at_first_comes_before_what_is_behind_it() {
    let store = Refusing::default();
    let broker = broker_on(&store).await;
    let topic = topic(&broker, Retention::Forever).await;
    let workers = lease(&broker, &topic, "workers").await;
    publish(&broker, 300).await;
    store.fail_reads(1);
    let mut consumer = attach(&broker, &workers, 0);
    let mut came = Vec::new();
    while came.len() < 300 {
        came.extend(offsets(&consumer.recv(100).await.unwrap()));
    }
    assert_eq!(came, (0..300).collect::<Vec<_>>());
}
