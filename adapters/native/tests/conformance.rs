//! The native driver on the native frontend keeps every promise of the kit.

use std::sync::Arc;

use standpipe_conformance::driver::{Served, check};
use standpipe_core::codec::Codecs;

#[tokio::test(flavor = "multi_thread")]
async fn the_driver_keeps_its_promises_on_our_own_frontend() {
    let subject = Served::start(
        Arc::new(standpipe_native::NativeFrontend),
        Arc::new(standpipe_native::NativeDriver::new()),
        Codecs::default(),
        |at, name| {
            let address = format!("standpipe://{at}/{name}");
            (address.clone(), address)
        },
    );
    let subject = subject.await.expect("a frontend on loopback");
    check(&subject).await.assert_passed();
}
