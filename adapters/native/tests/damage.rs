//! A broker over a store that is damaged: the topic takes and leases nothing, all else goes on.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on must say where"
)]

use std::{fs, path::Path, sync::Arc};

use standpipe_core::{
    broker::{
        Admission, Attach, Broker, Credit, LaneId, Mode, Options, Publish, Target, Topic, TopicSpec,
    },
    codec::Codecs,
    dispatcher::OwnerId,
    driver::StartAt,
    entry::{Draft, Format},
    error::{Error, ErrorKind, Result},
    id::{Offset, PartitionId},
    store::{Durability, ReadLimit, Store},
};
use standpipe_native::store::{NativeStore, StoreOptions, accept_loss};

const P0: PartitionId = PartitionId(0);
const ALL: ReadLimit = ReadLimit {
    bytes: usize::MAX,
    entries: usize::MAX,
};

async fn open(path: &Path) -> (Arc<NativeStore>, Broker) {
    let store = NativeStore::open(path, StoreOptions::default()).unwrap();
    let broker = Broker::open(store.clone(), Codecs::default(), Options::default());
    (store, broker.await.unwrap())
}

async fn publish(broker: &Broker, topic: &str, body: &'static str) -> Result<()> {
    let published = broker.publish(Publish {
        namespace: "/",
        target: Target::Topic(topic),
        draft: Draft::single(Format::NATIVE, body.into()),
        key: None,
        lane: LaneId(0),
        durability: Some(Durability::Disk),
        admission: Admission::none(),
    })?;
    published.confirm.wait().await.map(|_| ())
}

async fn lease(broker: &Broker, topic: &Arc<Topic>) -> Result<()> {
    let made = broker.ensure_subscription(topic, "s", Mode::Lease, StartAt::Earliest);
    let subscription = made.await?;
    let got = subscription.get(OwnerId(1)).await.map(|_| ());
    let attached = broker.attach(
        &subscription,
        Attach {
            owner: OwnerId(1),
            credit: Credit::unlimited(),
            exclusive: false,
            lease: None,
        },
    );
    let attached = attached.map(|_| ());
    assert_eq!(got.is_ok(), attached.is_ok());
    attached
}

fn damage(path: &Path) {
    let journal = path.join("0000000001.journal");
    let mut octets = fs::read(&journal).unwrap();
    let at = octets.windows(5).position(|window| window == b"bravo");
    octets[at.unwrap()] ^= 1;
    fs::write(journal, octets).unwrap();
}

fn is_refused(result: Result<()>) {
    let refused: Error = result.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Corrupt, "{refused}");
    for words in ["0000000001.journal at ", "offsets 1 to 1", "--accept-loss"] {
        assert!(refused.message().contains(words), "{refused}");
    }
}

#[tokio::test]
async fn a_damaged_topic_takes_and_leases_nothing_until_the_loss_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let (store, broker) = open(&path).await;
    for topic in ["hit", "spared"] {
        broker
            .create_topic(TopicSpec::new("/", topic))
            .await
            .unwrap();
    }
    for body in ["alpha", "bravo", "charlie"] {
        publish(&broker, "hit", body).await.unwrap();
        publish(&broker, "spared", "other").await.unwrap();
    }
    store.close().await.unwrap();
    drop((broker, store));
    damage(&path);

    let (store, broker) = open(&path).await;
    let [hit, spared] = ["hit", "spared"].map(|name| broker.topic("/", name).unwrap());
    is_refused(publish(&broker, "hit", "delta").await);
    is_refused(lease(&broker, &hit).await);
    publish(&broker, "spared", "more").await.unwrap();
    lease(&broker, &spared).await.unwrap();
    let read = hit.read(P0, Offset(2), ALL).await.unwrap();
    assert_eq!(read[0].body(), "charlie", "what is whole can be read");
    store.close().await.unwrap();
    drop((hit, spared, broker, store));

    let mut told = 0;
    accept_loss(&path, StoreOptions::default(), |_| told += 1).unwrap();
    assert_eq!(told, 1);
    let (_store, broker) = open(&path).await;
    let hit = broker.topic("/", "hit").unwrap();
    publish(&broker, "hit", "delta").await.unwrap();
    lease(&broker, &hit).await.unwrap();
    let read = hit.read(P0, Offset(1), ALL).await.unwrap();
    let bodies: Vec<_> = read.iter().map(|entry| entry.body().clone()).collect();
    assert_eq!(bodies, ["charlie", "delta"]);
}
