//! Retention by key.

use super::*;
use crate::{
    broker::{Append, AppendError, Attach, Credit},
    compaction::Compaction,
    driver::Settlement,
    error::ErrorKind,
    id::Millis,
    store::Store,
};

fn compacted(grace_ms: u64) -> Retention {
    Retention::Compact(Compaction {
        grace_ms,
        ..Compaction::default()
    })
}

fn keyed(key: u64, value: Option<u64>) -> Message {
    Message {
        payload: value.map(|value| value.to_string().into()),
        ..Message::new("").with_key(key.to_string())
    }
}

/// Appends messages as one entry.
async fn append(broker: &Broker, topic: &Arc<Topic>, messages: &[Message]) {
    let appended = broker.append(Append {
        topic,
        partition: P0,
        draft: NativeCodec::encode_batch(messages),
        pieces: Vec::new(),
        durability: Durability::Disk,
        admission: Admission::none(),
    });
    appended.unwrap().confirm.wait().await.unwrap();
}

/// What a reader from the start sees.
async fn seen(broker: &Broker, topic: &Arc<Topic>) -> Vec<(u64, String, Option<String>)> {
    let mut from = topic.bounds(P0).unwrap().start;
    let mut seen = Vec::new();
    let text = |octets: &bytes::Bytes| String::from_utf8(octets.to_vec()).unwrap();
    loop {
        let limit = crate::store::ReadLimit {
            bytes: 1 << 20,
            entries: 100,
        };
        let entries = topic.read(P0, from, limit).await.unwrap();
        let Some(last) = entries.last() else {
            return seen;
        };
        from = last.end_offset();
        for entry in &entries {
            for (offset, message) in broker.codecs().decode(entry).unwrap() {
                let key = message.key.as_ref().map(text).unwrap();
                seen.push((offset.0, key, message.payload.as_ref().map(text)));
            }
        }
    }
}

fn offsets_of(seen: &[(u64, String, Option<String>)]) -> Vec<u64> {
    seen.iter().map(|(offset, ..)| *offset).collect()
}

fn later(ms: i64) -> Millis {
    Millis(Millis::now().0 + ms)
}

#[tokio::test]
async fn the_newest_of_each_key_stays_at_its_offset() {
    let broker = open(&Arc::default()).await;
    let topic = topic(&broker, compacted(60_000)).await;
    for n in 0..1000 {
        append(&broker, &topic, &[keyed(n % 10, Some(n))]).await;
    }
    append(&broker, &topic, &[keyed(10, Some(0))]).await;
    broker.compact(Millis::now()).await;
    let seen = seen(&broker, &topic).await;
    assert_eq!(offsets_of(&seen), (990..=1000).collect::<Vec<_>>());
    assert_eq!(seen[3], (993, "3".into(), Some("993".into())));
    let bounds = topic.bounds(P0).unwrap();
    assert_eq!((bounds.start, bounds.end), (Offset(0), Offset(1001)));
}

#[tokio::test]
async fn a_tombstone_goes_after_its_grace_and_its_key_stays_gone() {
    let store: Arc<MemoryStore> = Arc::default();
    let broker = open(&store).await;
    let topic = topic(&broker, compacted(60_000)).await;
    for message in [keyed(1, Some(1)), keyed(2, Some(1)), keyed(1, None)] {
        append(&broker, &topic, &[message]).await;
    }
    broker.compact(Millis::now()).await;
    assert_eq!(offsets_of(&seen(&broker, &topic).await), [1, 2]);
    broker.compact(later(59_000)).await;
    assert_eq!(offsets_of(&seen(&broker, &topic).await), [1, 2]);
    // Another process knows how long it has been there.
    drop(broker);
    let broker = open(&store).await;
    let topic = broker.topic("/", "t").unwrap();
    broker.compact(later(61_000)).await;
    assert_eq!(offsets_of(&seen(&broker, &topic).await), [1]);
}

#[tokio::test]
async fn a_batch_goes_once_all_of_it_is_replaced() {
    let broker = open(&Arc::default()).await;
    let topic = topic(&broker, compacted(60_000)).await;
    let batch = |value| [keyed(1, Some(value)), keyed(2, Some(value))];
    append(&broker, &topic, &batch(0)).await;
    append(&broker, &topic, &batch(1)).await;
    append(&broker, &topic, &batch(2)[..1]).await;
    broker.compact(Millis::now()).await;
    let seen = seen(&broker, &topic).await;
    assert!(seen.iter().all(|(offset, ..)| *offset >= 2), "{seen:?}");
    assert_eq!(seen.last().unwrap().0, 4);
}

#[tokio::test]
async fn a_restart_does_not_look_at_what_is_clean_and_a_deleted_topic_leaves_nothing() {
    let store: Arc<MemoryStore> = Arc::default();
    let broker = open(&store).await;
    let topic = topic(&broker, compacted(60_000)).await;
    append(&broker, &topic, &[keyed(1, Some(1))]).await;
    broker.compact(Millis::now()).await;
    let known = topic.partition(P0).unwrap().compacted.lock().clone();
    drop((broker, topic));
    let broker = open(&store).await;
    let topic = broker.topic("/", "t").unwrap();
    let again = topic.partition(P0).unwrap().compacted.lock().clone();
    assert_eq!(again.as_ref().unwrap().clean(), Offset(1));
    assert_eq!(again, known);
    broker.delete_topic("/", "t").await.unwrap();
    let left = store.scan("c/".into()).await.unwrap();
    assert!(left.is_empty());
}

#[tokio::test]
async fn a_queue_passes_over_what_is_gone_and_keeps_what_it_holds() {
    let broker = open(&Arc::default()).await;
    let topic = topic(&broker, compacted(60_000)).await;
    let queue = lease(&broker, &topic, "workers").await;
    let owner = broker.new_owner();
    // Held before anything replaces it: the broker's own round may come at any time.
    append(&broker, &topic, &[keyed(0, Some(0))]).await;
    let held = queue.get(owner).await.unwrap().unwrap();
    for n in 1..100 {
        append(&broker, &topic, &[keyed(n % 2, Some(n))]).await;
    }
    broker.compact(Millis::now()).await;
    assert_eq!(offsets_of(&seen(&broker, &topic).await), [0, 98, 99]);
    let attach = Attach {
        owner: broker.new_owner(),
        credit: Credit::window(10),
        exclusive: false,
        lease: None,
    };
    let mut consumer = broker.attach(&queue, attach).unwrap();
    let mut taken = Vec::new();
    while taken.len() < 2 {
        taken.extend(offsets(&consumer.recv(10).await.unwrap()));
    }
    assert_eq!(taken, [98, 99]);
    // What was given back is still there.
    let release = Settlement::Release {
        after: std::time::Duration::ZERO,
    };
    let released = queue.settle(vec![(held.receipt, release)]).unwrap();
    released.wait().await.unwrap();
    assert_eq!(offsets(&consumer.recv(10).await.unwrap()), [0]);
}

#[tokio::test]
async fn a_message_without_a_key_is_refused_and_an_older_one_stays() {
    let broker = open(&Arc::default()).await;
    let topic = topic(&broker, Retention::Forever).await;
    publish(&broker, 3).await;
    let retention = compacted(0);
    broker.set_retention("/", "t", retention).await.unwrap();
    let keyless = NativeCodec::encode_batch(&[keyed(1, None), Message::new("x")]);
    let published = broker.publish(Publish {
        namespace: "/",
        target: Target::Topic("t"),
        draft: keyless.clone(),
        key: None,
        lane: LaneId(0),
        durability: None,
        admission: Admission::none(),
    });
    assert_eq!(published.unwrap_err().kind(), ErrorKind::Invalid);
    let appended = broker.append(Append {
        topic: &topic,
        partition: P0,
        draft: keyless,
        pieces: Vec::new(),
        durability: Durability::Disk,
        admission: Admission::none(),
    });
    assert!(matches!(appended.unwrap_err(), AppendError::Keyless(_)));
    broker.compact(Millis::now()).await;
    let bounds = topic.store.bounds(topic.partition(P0).unwrap().log).await;
    assert_eq!(
        bounds.unwrap().octets,
        3 * NativeCodec::encode(&Message::new("0")).body.len() as u64
    );
}

#[tokio::test]
async fn limits_take_the_newest_of_a_key_too() {
    let broker = open(&Arc::default()).await;
    let topic = topic(&broker, "compact,1m".parse().unwrap()).await;
    append(&broker, &topic, &[keyed(1, Some(1))]).await;
    broker.tidy(later(59_000)).await;
    assert_eq!(topic.bounds(P0).unwrap().start, Offset(0));
    broker.tidy(later(61_000)).await;
    assert_eq!(topic.bounds(P0).unwrap().start, Offset(1));
    append(&broker, &topic, &[keyed(1, Some(2))]).await;
    broker.compact(Millis::now()).await;
    assert_eq!(offsets_of(&seen(&broker, &topic).await), [1]);
}

#[tokio::test]
async fn what_is_not_compacted_any_more_stays() {
    let broker = open(&Arc::default()).await;
    let topic = topic(&broker, compacted(60_000)).await;
    append(&broker, &topic, &[keyed(1, Some(1))]).await;
    broker.compact(Millis::now()).await;
    let forever = Retention::Forever;
    broker.set_retention("/", "t", forever).await.unwrap();
    append(&broker, &topic, &[keyed(1, Some(2))]).await;
    broker.compact(Millis::now()).await;
    assert_eq!(offsets_of(&seen(&broker, &topic).await), [0, 1]);
    let again = compacted(60_000);
    broker.set_retention("/", "t", again).await.unwrap();
    broker.compact(Millis::now()).await;
    assert_eq!(offsets_of(&seen(&broker, &topic).await), [1]);
}

#[tokio::test(start_paused = true)]
async fn the_janitor_compacts_by_itself() {
    let broker = open(&Arc::default()).await;
    let topic = topic(&broker, compacted(60_000)).await;
    for n in 0..3 {
        append(&broker, &topic, &[keyed(1, Some(n))]).await;
    }
    let period = Options::default().housekeeping;
    tokio::time::sleep(period * 2).await;
    assert_eq!(offsets_of(&seen(&broker, &topic).await), [2]);
}
