//! Consumers that share a credit: whoever leaves wakes the others still.

use std::time::Duration;

use super::*;
use crate::{
    broker::{Attach, Attachment, Credit, QueueSpec},
    driver::Settlement,
};

async fn queue(broker: &Broker, name: &str) -> Arc<Subscription> {
    let declared = broker.declare_queue(QueueSpec::new("/", name)).await;
    declared.unwrap().subscription
}

fn attach(broker: &Broker, queue: &Arc<Subscription>, credit: &Arc<Credit>) -> Attachment {
    let attach = Attach {
        owner: broker.new_owner(),
        credit: Credit::within(0, credit.clone()),
        exclusive: false,
        lease: None,
    };
    broker.attach(queue, attach).unwrap()
}

async fn publish_to(broker: &Broker, queue: &str) {
    let sent = send(broker, Target::Topic(queue), &Message::new("m"), None);
    sent.confirm.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_leaves_takes_its_own_wakeup_along_only() {
    let broker = open(&Arc::default()).await;
    let (one, two) = (queue(&broker, "one").await, queue(&broker, "two").await);
    let credit = Credit::window(1);
    let leaving = attach(&broker, &two, &credit);
    let mut of_two = attach(&broker, &two, &credit);
    let mut of_one = attach(&broker, &one, &credit);
    leaving.cancel().await;
    publish_to(&broker, "one").await;
    let held = of_one.recv(1).await.unwrap();
    publish_to(&broker, "two").await;
    let waits = tokio::time::timeout(Duration::from_secs(1), of_two.recv(1)).await;
    assert!(waits.is_err(), "the credit is used up");
    let acked = one.settle(vec![(held[0].receipt, Settlement::Ack)]);
    acked.unwrap().await.unwrap();
    let came = tokio::time::timeout(Duration::from_secs(60), of_two.recv(1)).await;
    assert!(came.unwrap().is_some());
}
