//! Buckets of delayed messages that cannot be moved.

use std::time::Duration;

use super::{
    moody::{Refusing, broker_on},
    *,
};
use crate::{broker::catalog, id::Millis, store::Store, wheel::bucket_log};

const DAY: Duration = Duration::from_hours(24);

async fn publish_due(broker: &Broker, at: Millis) {
    let mut message = Message::new("m");
    message.props.deliver_at = Some(at);
    let sent = send(broker, Target::Topic("t"), &message, None);
    sent.confirm.await.unwrap();
}

#[tokio::test]
async fn a_damaged_bucket_holds_up_no_other() {
    let store = Refusing::default();
    let broker = broker_on(&store).await;
    let topic = topic(&broker, Retention::Forever).await;
    let soon = Millis::now().after(DAY);
    publish_due(&broker, soon).await;
    let buckets = store.scan(bytes::Bytes::from_static(catalog::BUCKETS));
    let (key, value) = buckets.await.unwrap().remove(0);
    let (_, _, number) = catalog::read_bucket(&key, &value).unwrap();
    store.spoil(Some(bucket_log(topic.id(), number)));
    publish_due(&broker, soon.after(100 * DAY)).await;

    let end = soon.after(200 * DAY);
    broker.turn_wheels(end).await;
    assert_eq!(topic.bounds(P0).unwrap().stable, Offset(1));
    let reads = store.reads();
    broker.turn_wheels(end.after(DAY)).await;
    assert_eq!(store.reads(), reads, "it is set aside");
    store.spoil(None);
    let broker = broker_on(&store).await;
    broker.turn_wheels(end.after(DAY)).await;
    let topic = broker.topic("/", "t").unwrap();
    assert_eq!(topic.bounds(P0).unwrap().stable, Offset(2));
}

#[tokio::test]
async fn a_damaged_message_holds_up_none_that_is_due_with_it() {
    let store = Refusing::default();
    let broker = broker_on(&store).await;
    let topic = topic(&broker, Retention::Forever).await;
    let soon = Millis::now().after(DAY);
    for _ in 0..10 {
        publish_due(&broker, soon).await;
    }
    store.ruin(3..5);
    broker.turn_wheels(soon.after(DAY)).await;
    assert_eq!(topic.bounds(P0).unwrap().stable, Offset(8));
    drop(broker);
    store.ruin(0..0);
    let broker = broker_on(&store).await;
    broker.turn_wheels(soon.after(DAY)).await;
    let topic = broker.topic("/", "t").unwrap();
    assert_eq!(topic.bounds(P0).unwrap().stable, Offset(10));
}

#[tokio::test]
async fn more_than_a_turn_moves_is_moved_all_the_same() {
    let store = Refusing::default();
    let broker = broker_on(&store).await;
    let topic = topic(&broker, Retention::Forever).await;
    let soon = Millis::now().after(DAY);
    for n in 0..200 {
        publish_due(&broker, soon.after(n * Duration::from_secs(1))).await;
    }
    broker.turn_wheels(soon.after(2 * DAY)).await;
    assert_eq!(topic.bounds(P0).unwrap().stable, Offset(200));
}
