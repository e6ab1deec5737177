//! Retention by time and size.

use super::*;
use crate::{driver::Settlement, id::Millis, store::LogBounds};

async fn bounds(topic: &Topic) -> LogBounds {
    let log = topic.partition(P0).unwrap().log;
    topic.store.bounds(log).await.unwrap()
}

#[tokio::test]
async fn an_age_takes_what_is_unsettled_too_and_counts_it_for_each_subscription() {
    let broker = open(&Arc::default()).await;
    let topic = topic(&broker, Retention::Time { ms: 60_000 }).await;
    let workers = lease(&broker, &topic, "workers").await;
    publish(&broker, 10).await;
    commit(&broker, "readers", 4).await.unwrap().await.unwrap();
    workers.vanish(P0, Offset(2)..Offset(5));
    let held = workers.get(broker.new_owner()).await.unwrap().unwrap();
    broker.tidy(Millis::now()).await;
    assert_eq!(bounds(&topic).await.start, Offset(0), "nothing is old yet");

    let later = Millis(Millis::now().0 + 60_001);
    broker.tidy(later).await;
    assert_eq!(bounds(&topic).await.start, Offset(10));
    assert_eq!(topic.bounds(P0).unwrap().start, Offset(10));
    let readers = topic.subscription("readers").unwrap();
    for (subscription, lost) in [(&workers, 7), (&readers, 6)] {
        assert_eq!(subscription.floor(P0), Some(Offset(10)));
        assert_eq!(subscription.lost(), lost, "{}", subscription.name());
    }
    let counts = workers.counts();
    assert_eq!((counts.ready, counts.leased), (0, 0), "its lease ended");
    let late = workers.settle_each(vec![(held.receipt, Settlement::Ack)]);
    assert_eq!(late.unwrap().0, [false]);
    let stored = &broker.group_offsets("/", "readers")[0].offset;
    assert_eq!(
        (stored.offset, &stored.metadata[..]),
        (Offset(10), &b"a note"[..])
    );
}

#[tokio::test]
async fn a_size_keeps_the_newest_that_fit() {
    let broker = open(&Arc::default()).await;
    let one = NativeCodec::encode(&Message::new("0")).body.len() as u64;
    let topic = topic(&broker, Retention::Size { octets: 4 * one }).await;
    publish(&broker, 10).await;
    broker.tidy(Millis::now()).await;
    let LogBounds { start, end, octets } = bounds(&topic).await;
    assert_eq!((start, end, octets), (Offset(6), Offset(10), 4 * one));
    publish(&broker, 1).await;
    broker.tidy(Millis::now()).await;
    assert_eq!(bounds(&topic).await.start, Offset(7));
}

#[tokio::test]
async fn of_two_limits_the_stricter_one_trims() {
    let broker = open(&Arc::default()).await;
    let one = NativeCodec::encode(&Message::new("0")).body.len() as u64;
    let limits = Retention::Both {
        ms: 60_000,
        octets: 4 * one,
    };
    let topic = topic(&broker, limits).await;
    publish(&broker, 10).await;
    broker.tidy(Millis::now()).await;
    assert_eq!(bounds(&topic).await.start, Offset(6));
    broker.tidy(Millis(Millis::now().0 + 60_001)).await;
    assert_eq!(bounds(&topic).await.start, Offset(10));
}

#[tokio::test(start_paused = true)]
async fn the_janitor_comes_round_by_itself() {
    let broker = open(&Arc::default()).await;
    let topic = topic(&broker, Retention::Size { octets: 0 }).await;
    publish(&broker, 10).await;
    let period = Options::default().housekeeping;
    tokio::time::sleep(period * 2).await;
    assert_eq!(topic.bounds(P0).unwrap().start, Offset(10));
}
