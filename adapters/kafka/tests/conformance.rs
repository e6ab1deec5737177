//! The Kafka driver on the Kafka frontend keeps every promise of the kit.

use std::sync::Arc;

use standpipe_conformance::driver::{Served, check};
use standpipe_core::codec::Codecs;

#[tokio::test(flavor = "multi_thread")]
async fn the_driver_keeps_its_promises_on_our_own_frontend() {
    let mut codecs = Codecs::default();
    standpipe_kafka::codec::register(&mut codecs);
    let subject = Served::start(
        Arc::new(standpipe_kafka::KafkaFrontend::new()),
        Arc::new(standpipe_kafka::client::KafkaDriver),
        codecs,
        |at, name| {
            let topic = format!("kafka://{at}/{name}");
            (topic.clone(), format!("{topic}?group=kit"))
        },
    );
    let subject = subject.await.expect("a frontend on loopback");
    check(&subject).await.assert_passed();
}
