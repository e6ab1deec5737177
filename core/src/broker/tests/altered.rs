//! What a topic can be told while it exists.

use std::{pin::pin, time::Duration};

use super::{
    moody::{Refusing, begin, broker_on},
    *,
};
use crate::driver::Settlement;
use crate::error::{Error, ErrorKind, Result};
use crate::id::Millis;

async fn alter(broker: &Broker, change: impl FnOnce(&mut TopicSpec) -> Result<()>) -> Result<()> {
    broker.alter_topic("/", "t", change).await
}

#[tokio::test]
async fn a_limit_of_size_holds_for_every_publisher_and_after_a_restart() {
    let store = Arc::default();
    let broker = open(&store).await;
    topic(&broker, Retention::Forever).await;
    let draft = NativeCodec::encode(&Message::new("0"));
    let octets = draft.body.len();
    let set = |limit| {
        move |spec: &mut TopicSpec| {
            spec.message_bytes = Some(limit);
            Ok(())
        }
    };
    alter(&broker, set(octets)).await.unwrap();
    publish(&broker, 1).await;
    alter(&broker, set(octets - 1)).await.unwrap();
    for broker in [broker, open(&store).await] {
        let refused = broker.publish(Publish {
            namespace: "/",
            target: Target::Topic("t"),
            draft: draft.clone(),
            key: None,
            lane: LaneId(0),
            durability: None,
            admission: Admission::none(),
        });
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(error.message().contains("topic `t`"), "{error}");
    }
}

#[tokio::test]
async fn a_change_that_is_refused_changes_nothing_and_names_and_partitions_stay() {
    let broker = open(&Arc::default()).await;
    let topic = topic(&broker, Retention::Forever).await;
    let refused = alter(&broker, |spec| {
        spec.retention = Retention::Settled;
        Err(Error::new(ErrorKind::Invalid, "alter", "no"))
    });
    assert_eq!(refused.await.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(topic.retention(), Retention::Forever);
    let renamed = alter(&broker, |spec| {
        spec.name = "u".into();
        spec.partitions = 5;
        spec.notes.insert("a".into(), "b".into());
        Ok(())
    });
    renamed.await.unwrap();
    let mut expected = TopicSpec::new("/", "t");
    expected.retention = Retention::Forever;
    expected.notes.insert("a".into(), "b".into());
    assert_eq!(topic.spec(), expected);
}

#[tokio::test]
async fn what_is_answered_as_changed_trims_as_it_was_no_more() {
    for before in [Retention::Settled, "1s".parse().unwrap()] {
        let store = Refusing::default();
        let broker = broker_on(&store).await;
        let topic = topic(&broker, before).await;
        let workers = lease(&broker, &topic, "workers").await;
        publish(&broker, 10).await;
        for _ in 0..5 {
            let got = workers.get(broker.new_owner()).await.unwrap().unwrap();
            let acked = workers.settle(vec![(got.receipt, Settlement::Ack)]);
            acked.unwrap().await.unwrap();
        }
        let later = Millis::now().after(Duration::from_hours(1));
        let disk = store.hold_disk().await;
        let mut changed = pin!(broker.set_retention("/", "t", Retention::Forever));
        begin(changed.as_mut()).await;
        let mut round = pin!(broker.tidy(later));
        begin(round.as_mut()).await;
        drop(disk);
        let (changed, ()) = tokio::join!(changed, round);
        changed.unwrap();
        assert_eq!(topic.bounds(P0).unwrap().start, Offset::ZERO, "{before}");
    }
}
