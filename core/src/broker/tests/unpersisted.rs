//! Changes that the store refuses or fails for a while.

use std::pin::pin;

use super::{
    moody::{Refusing, begin, broker_on},
    *,
};
use crate::{
    broker::{Attach, Attachment, Credit},
    driver::Settlement,
    error::ErrorKind,
};

const MESSAGES: u64 = 2500;

async fn take(consumer: &mut Attachment, count: usize) -> Vec<Delivery> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let more = consumer.recv(count - taken.len()).await;
        taken.extend(more.expect("the topic is there"));
    }
    taken
}

fn acks(deliveries: &[Delivery]) -> Vec<(crate::dispatcher::Receipt, Settlement)> {
    let receipts = deliveries.iter().map(|delivery| delivery.receipt);
    receipts.map(|receipt| (receipt, Settlement::Ack)).collect()
}

#[tokio::test(start_paused = true)]
async fn deliveries_go_on_once_the_store_does_and_what_was_settled_stays_so() {
    let store = Refusing::default();
    let broker = broker_on(&store).await;
    let topic = topic(&broker, Retention::Forever).await;
    let workers = lease(&broker, &topic, "workers").await;
    publish(&broker, MESSAGES).await;
    let mut consumer = attach(&broker, &workers);

    let first = take(&mut consumer, 100).await;
    store.refuse(true);
    let refused = workers.settle(acks(&first)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Throttled);
    let second = take(&mut consumer, 900).await;
    store.refuse(false);
    let third = take(&mut consumer, MESSAGES as usize - 1000).await;
    let numbers: Vec<_> = (1000..MESSAGES).collect();
    assert_eq!(offsets(&third), numbers);

    workers.settle(acks(&second[..1])).unwrap().await.unwrap();
    let again = broker_on(&store).await;
    let workers = again.topic("/", "t").unwrap().subscription("workers");
    assert_eq!(workers.unwrap().floor(P0), Some(Offset(101)));
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_is_made_up_for_where_nothing_else_happens() {
    let store = Refusing::default();
    let broker = broker_on(&store).await;
    let topic = topic(&broker, Retention::Forever).await;
    let workers = lease(&broker, &topic, "workers").await;
    publish(&broker, 10).await;
    let owner = broker.new_owner();
    let taken = workers.get(owner).await.unwrap().unwrap();
    store.refuse(true);
    workers.settle(acks(&[taken])).unwrap_err();
    store.refuse(false);
    broker.tidy(crate::id::Millis::now()).await;
    let again = broker_on(&store).await;
    let workers = again.topic("/", "t").unwrap().subscription("workers");
    assert_eq!(workers.unwrap().floor(P0), Some(Offset(1)));
}

#[tokio::test(start_paused = true)]
async fn what_a_failed_write_covered_is_seen_once_a_later_one_has_worked() {
    let store = Refusing::default();
    let broker = broker_on(&store).await;
    let topic = topic(&broker, Retention::Forever).await;
    store.fail(true);
    for durability in [Durability::Disk, Durability::Os] {
        let confirm = submit(&broker, 0, durability);
        assert_eq!(confirm.await.unwrap_err().kind(), ErrorKind::Unknown);
    }
    assert_eq!(topic.bounds(P0).unwrap().stable, Offset(0));
    store.fail(false);
    topic.changed(P0, Offset(1)).await;
    assert_eq!(topic.bounds(P0).unwrap().stable, Offset(2));
}

#[tokio::test]
async fn whoever_asks_while_a_horizon_is_on_its_way_waits_for_it() {
    let store = Refusing::default();
    let broker = broker_on(&store).await;
    let topic = topic(&broker, Retention::Forever).await;
    let workers = lease(&broker, &topic, "workers").await;
    publish(&broker, 2000).await;
    workers.purge().await.unwrap();
    publish(&broker, 2).await;
    let disk = store.hold_disk().await;
    let mut first = pin!(workers.get(broker.new_owner()));
    let mut second = pin!(workers.get(broker.new_owner()));
    begin(first.as_mut()).await;
    begin(second.as_mut()).await;
    drop(disk);
    let got = [first.await, second.await].map(|got| got.unwrap().unwrap());
    assert_eq!(offsets(&got), [2000, 2001]);
}

#[tokio::test]
async fn a_horizon_in_memory_holds_at_once() {
    let broker = broker_on(&Refusing::default()).await;
    let spec = crate::broker::QueueSpec {
        durable: false,
        ..crate::broker::QueueSpec::new("/", "t")
    };
    let queue = broker.declare_queue(spec).await.unwrap().subscription;
    publish(&broker, 2000).await;
    queue.purge().await.unwrap();
    publish(&broker, 1).await;
    assert!(queue.get(broker.new_owner()).await.unwrap().is_some());
}

#[tokio::test]
async fn space_that_a_refused_commit_would_have_given_back_is_given_back_later() {
    let store = Refusing::default();
    let broker = broker_on(&store).await;
    let topic = topic(&broker, Retention::Settled).await;
    let workers = lease(&broker, &topic, "workers").await;
    publish(&broker, 1).await;
    let taken = workers.get(broker.new_owner()).await.unwrap().unwrap();
    store.refuse(true);
    workers.settle(acks(&[taken])).unwrap_err();
    store.refuse(false);
    broker.tidy(crate::id::Millis::now()).await;
    let log = topic.partition(P0).unwrap().log;
    assert_eq!(topic.store.bounds(log).await.unwrap().start, Offset(1));
}

#[tokio::test]
async fn what_is_got_and_given_up_on_is_ready_again() {
    let store = Refusing::default();
    let broker = broker_on(&store).await;
    let topic = topic(&broker, Retention::Forever).await;
    let workers = lease(&broker, &topic, "workers").await;
    publish(&broker, 1).await;
    let reads = store.hold_reads().await;
    {
        let mut got = pin!(workers.get(broker.new_owner()));
        begin(got.as_mut()).await;
        assert_eq!(workers.counts().ready, 0);
    }
    assert_eq!(workers.counts().ready, 1);
    drop(reads);
    let got = workers.get(broker.new_owner()).await.unwrap().unwrap();
    assert!(!got.redelivered);
}

#[tokio::test]
async fn a_groups_commit_that_is_refused_is_none() {
    let store = Refusing::default();
    let broker = broker_on(&store).await;
    topic(&broker, Retention::Forever).await;
    publish(&broker, 10).await;
    let committed = || broker.group_offsets("/", "g")[0].offset.offset;
    commit(&broker, "g", 3).await.unwrap().await.unwrap();
    store.refuse(true);
    let refused = commit(&broker, "g", 7).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Throttled);
    assert_eq!(committed(), Offset(3));
    let partitions = [("t".to_owned(), P0)];
    let refused = broker.delete_group_offsets("/", "g", &partitions).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Throttled);
    assert_eq!(committed(), Offset(3));
}

fn attach(broker: &Broker, subscription: &Arc<Subscription>) -> Attachment {
    let attach = Attach {
        owner: broker.new_owner(),
        credit: Credit::unlimited(),
        exclusive: false,
        lease: None,
    };
    broker.attach(subscription, attach).unwrap()
}
