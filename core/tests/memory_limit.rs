//! Messages of queues that live in memory have a limit together.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use standpipe_core::{
    broker::{Admission, Broker, LaneId, Limits, Options, Publish, QueueSpec, Target},
    codec::Codecs,
    error::{ErrorKind, Result},
    message::{Headers, Message},
    native::NativeCodec,
    router::{Binding, Destination},
    store::{Durability, MemoryStore},
};

async fn broker(memory_bytes: u64) -> Broker {
    let limits = Limits {
        memory_bytes,
        ..Limits::default()
    };
    let options = Options {
        limits,
        ..Options::default()
    };
    Broker::open(Arc::new(MemoryStore::new()), Codecs::default(), options)
        .await
        .unwrap()
}

/// A queue that every message of `amq.fanout` reaches.
async fn declare(broker: &Broker, name: &str, durable: bool) {
    let spec = QueueSpec {
        durable,
        ..QueueSpec::new("/", name)
    };
    broker.declare_queue(spec).await.unwrap();
    let to = Destination::Topic(name.into());
    let binding = Binding::new("amq.fanout", to, "");
    broker.bind("/", binding).await.unwrap();
}

fn publish(broker: &Broker) -> Result<usize> {
    let published = broker.publish(Publish {
        namespace: "/",
        target: Target::Exchange {
            exchange: "amq.fanout",
            key: b"",
            more_keys: &[],
            headers: &Headers::default(),
        },
        draft: NativeCodec::encode(&Message::new("m")),
        key: None,
        lane: LaneId(0),
        durability: Some(Durability::Memory),
        admission: Admission::none(),
    });
    published.map(|published| published.routed)
}

fn ready(broker: &Broker, name: &str) -> u64 {
    broker.queue("/", name, None).unwrap().counts().ready
}

#[tokio::test]
async fn a_publish_beyond_it_is_refused_as_a_whole_until_a_queue_goes() {
    let broker = broker(100_000).await;
    for at in 0..10 {
        declare(&broker, &format!("memory-{at}"), false).await;
    }
    declare(&broker, "disk", true).await;
    let mut taken = 0;
    let refused = loop {
        match publish(&broker) {
            Ok(11) if taken < 1_000 => taken += 1,
            Ok(routed) => panic!("{taken} taken, routed to {routed}"),
            Err(error) => break error,
        }
    };
    assert_eq!(refused.kind(), ErrorKind::Throttled, "{refused}");
    assert!(taken > 0);
    assert_eq!(ready(&broker, "memory-0"), taken);
    assert_eq!(ready(&broker, "disk"), taken);
    broker
        .delete_queue("/", "memory-0", false, false)
        .await
        .unwrap();
    assert_eq!(publish(&broker).unwrap(), 10);
}
