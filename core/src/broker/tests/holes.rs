//! Readers pass over what a store has forgotten.

use super::*;
use crate::broker::{Attach, Credit};

#[tokio::test]
async fn a_positional_reader_passes_over_holes_and_waits_at_the_end() {
    let broker = open(&Arc::default()).await;
    let topic = topic(&broker, Retention::Forever).await;
    publish(&broker, 20).await;
    forget(&broker, &topic, 0..3);
    forget(&broker, &topic, 5..20);
    let mut reader = broker
        .positional_reader(&topic, None, StartAt::Earliest)
        .await
        .unwrap();
    assert_eq!(offsets(&reader.recv(100).await.unwrap()), [3, 4]);
    // It waits, and does not spin: what comes next is what is published next.
    let next = tokio::join!(reader.recv(100), publish(&broker, 1)).0;
    assert_eq!(offsets(&next.unwrap()), [20]);
    assert_eq!(reader.position(P0), Some(Offset(21)));
}

#[tokio::test]
async fn a_hole_is_settled_in_one_change_and_gives_its_credit_back() {
    let broker = open(&Arc::default()).await;
    let topic = topic(&broker, Retention::Settled).await;
    let queue = lease(&broker, &topic, "workers").await;
    publish(&broker, 600).await;
    forget(&broker, &topic, 1..598);
    let attach = Attach {
        owner: broker.new_owner(),
        credit: Credit::window(3),
        exclusive: false,
        lease: None,
    };
    let mut consumer = broker.attach(&queue, attach).unwrap();
    let mut taken = Vec::new();
    while taken.len() < 3 {
        taken.extend(offsets(&consumer.recv(3).await.unwrap()));
    }
    assert_eq!(taken, [0, 598, 599]);
    let cursor = topic.store.cursor(queue.cursor_id(P0)).await.unwrap();
    assert!(cursor.len() < 10, "{} changes for one hole", cursor.len());
    let counts = queue.counts();
    assert_eq!((counts.ready, counts.leased), (0, 3));
}

#[tokio::test]
async fn a_get_passes_over_a_hole_up_to_the_end() {
    let broker = open(&Arc::default()).await;
    let topic = topic(&broker, Retention::Settled).await;
    let queue = lease(&broker, &topic, "workers").await;
    publish(&broker, 2000).await;
    forget(&broker, &topic, 1..2000);
    let owner = broker.new_owner();
    let first = queue.get(owner).await.unwrap().unwrap();
    assert!(matches!(first.content, Content::Raw(_)));
    assert!(queue.get(owner).await.unwrap().is_none());
    assert_eq!(queue.counts().ready, 0);
}
