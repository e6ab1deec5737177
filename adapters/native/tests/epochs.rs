//! Leader epochs rise with each start, and a partition tells where each ended.

use std::{path::Path, sync::Arc};

use standpipe_core::{
    broker::{Admission, Broker, LaneId, Options, Publish, Target, Topic},
    codec::Codecs,
    id::{Offset, PartitionId},
    message::Message,
    native::NativeCodec,
    store::Store,
};
use standpipe_native::store::{NativeStore, StoreOptions};

const P0: PartitionId = PartitionId(0);

/// A run of a broker on the store in `folder`: `count` messages, then it is looked at and stopped.
async fn run(folder: &Path, count: usize) -> (Arc<Topic>, Arc<NativeStore>) {
    let store = NativeStore::open(folder, StoreOptions::default()).expect("a store");
    let broker = Broker::open(store.clone(), Codecs::default(), Options::default());
    let broker = broker.await.expect("a broker");
    let topic = broker.ensure_topic("/", "t").await.expect("a topic");
    for _ in 0..count {
        let published = broker.publish(Publish {
            namespace: "/",
            target: Target::Topic("t"),
            draft: NativeCodec::encode(&Message::new("x")),
            key: None,
            lane: LaneId(0),
            durability: None,
            admission: Admission::none(),
        });
        let confirm = published.expect("a place").confirm;
        confirm.wait().await.expect("a confirm");
    }
    (topic, store)
}

#[tokio::test]
async fn an_epoch_ends_where_a_larger_one_begins() {
    let folder = tempfile::tempdir().unwrap();
    let mut epochs = Vec::new();
    // The second run writes nothing to the topic.
    for count in [3, 0, 2, 1] {
        let (topic, store) = run(folder.path(), count).await;
        epochs.push(topic.leader_epoch());
        if epochs.len() < 4 {
            store.close().await.unwrap();
            continue;
        }
        let end = async |epoch| topic.epoch_end(P0, epoch).await.unwrap();
        assert!(
            epochs.is_sorted_by(|before, after| before < after),
            "{epochs:?}"
        );
        let [first, second, third, fourth] = epochs[..] else {
            unreachable!("four runs")
        };
        assert_eq!(end(first).await, Some((first, Offset(3))));
        assert_eq!(
            end(second).await,
            Some((first, Offset(3))),
            "the largest up to it"
        );
        assert_eq!(end(third).await, Some((third, Offset(5))));
        assert_eq!(
            end(fourth).await,
            Some((fourth, Offset(6))),
            "the current one: the end"
        );
        assert_eq!(end(fourth + 1).await, None, "it was never");
        assert_eq!(topic.epoch_at(P0, Offset(0)).await.unwrap(), first);
        assert_eq!(topic.epoch_at(P0, Offset(4)).await.unwrap(), third);
        assert_eq!(topic.epoch_at(P0, Offset(6)).await.unwrap(), fourth);
    }
}
