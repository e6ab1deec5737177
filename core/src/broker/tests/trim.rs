//! The beginning of a log and a group's offsets, taken away by hand.

use super::*;
use crate::error::ErrorKind;

#[tokio::test]
async fn what_is_trimmed_is_gone_for_every_subscription_and_after_a_restart() {
    let store = Arc::default();
    let broker = open(&store).await;
    let topic = topic(&broker, Retention::Forever).await;
    let workers = lease(&broker, &topic, "workers").await;
    publish(&broker, 10).await;
    commit(&broker, "g", 2).await.unwrap().await.unwrap();
    let start = broker.trim(&topic, P0, Some(Offset(4))).await.unwrap();
    assert_eq!((start, workers.lost()), (Offset(4), 4));
    let lower = broker.trim(&topic, P0, Some(Offset(1))).await.unwrap();
    assert_eq!(lower, Offset(4), "what is gone stays so");
    let next = workers.get(broker.new_owner()).await.unwrap().unwrap();
    assert_eq!(next.receipt.offset, Offset(4));
    assert_eq!(broker.group_offsets("/", "g")[0].offset.offset, Offset(4));
    assert_eq!(broker.trim(&topic, P0, None).await.unwrap(), Offset(10));

    let again = open(&store).await;
    let bounds = again.topic("/", "t").unwrap().bounds(P0).unwrap();
    assert_eq!((bounds.start, bounds.end), (Offset(10), Offset(10)));
}

#[tokio::test]
async fn only_what_is_there_and_may_go_is_trimmed() {
    for (retention, at, kind) in [
        (Retention::Forever, 2, ErrorKind::Invalid),
        (Retention::Settled, 1, ErrorKind::Denied),
        ("compact".parse().unwrap(), 0, ErrorKind::Denied),
    ] {
        let broker = open(&Arc::default()).await;
        let topic = topic(&broker, retention).await;
        if kind != ErrorKind::Denied || retention == Retention::Settled {
            publish(&broker, 1).await;
        }
        let refused = broker.trim(&topic, P0, Some(Offset(at))).await;
        assert_eq!(refused.unwrap_err().kind(), kind, "{retention}");
        let bounds = topic.bounds(P0).unwrap();
        assert_eq!(bounds.start, Offset::ZERO);
    }
    let broker = open(&Arc::default()).await;
    let topic = topic(&broker, Retention::Forever).await;
    let missing = broker.trim(&topic, PartitionId(1), None).await;
    assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_group_whose_offset_is_taken_back_holds_nothing_any_more() {
    let store = Arc::default();
    let broker = open(&store).await;
    let topic = topic(&broker, Retention::Settled).await;
    publish(&broker, 10).await;
    commit(&broker, "g", 3).await.unwrap().await.unwrap();
    assert!(topic.holder().is_some());
    let partitions = [("t".to_owned(), P0), ("missing".to_owned(), P0)];
    let deleted = broker.delete_group_offsets("/", "g", &partitions);
    deleted.await.unwrap();
    assert!(topic.holder().is_none());
    assert_eq!(broker.group_offsets("/", "g"), []);
    let again = open(&store).await;
    assert_eq!(again.group_offsets("/", "g"), []);
    commit(&again, "g", 5).await.unwrap().await.unwrap();
    assert_eq!(again.group_offsets("/", "g")[0].offset.offset, Offset(5));
}
