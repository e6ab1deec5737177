//! The AMQP driver on the AMQP frontend keeps every promise of the kit.

use std::sync::Arc;

use standpipe_conformance::driver::{Served, check};
use standpipe_core::codec::Codecs;

#[tokio::test(flavor = "multi_thread")]
async fn the_driver_keeps_its_promises_on_our_own_frontend() {
    let mut codecs = Codecs::default();
    standpipe_amqp::codec::register(&mut codecs);
    let subject = Served::start(
        Arc::new(standpipe_amqp::AmqpFrontend),
        Arc::new(standpipe_amqp::client::AmqpDriver),
        codecs,
        |at, name| {
            let address = format!("amqp://guest:guest@{at}/%2f?queue={name}");
            (address.clone(), address)
        },
    );
    let subject = subject.await.expect("a frontend on loopback");
    check(&subject).await.assert_passed();
}
