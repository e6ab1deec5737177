//! The client beside our own frontend, with a network between them that fails.

use std::{sync::Arc, time::Duration};

use standpipe_core::{
    ErrorKind,
    address::Address,
    broker::{Broker, Options},
    codec::Codecs,
    driver::{Driver as _, OpenOptions, ReceiveLimit},
    frontend::Frontend as _,
    store::MemoryStore,
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::GrpcDriver;
use crate::GrpcFrontend;

/// A broker behind a proxy, which passes nothing on once it is `cut`, and hangs up neither.
async fn served_until(cut: CancellationToken) -> Address {
    let store = Arc::new(MemoryStore::new());
    let broker = Broker::open(store, Codecs::default(), Options::default());
    let broker = broker.await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let behind = listener.local_addr().unwrap();
    tokio::spawn(Arc::new(GrpcFrontend).serve(listener, broker, CancellationToken::new()));
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = proxy.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut near, _) = proxy.accept().await.unwrap();
        let mut far = TcpStream::connect(behind).await.unwrap();
        tokio::select! {
            _ = copy_bidirectional(&mut near, &mut far) => {}
            () = cut.cancelled() => std::future::pending().await,
        }
    });
    format!("grpc://{at}/t").parse().unwrap()
}

#[tokio::test]
async fn a_broker_that_is_gone_without_a_word_is_noticed() {
    let cut = CancellationToken::new();
    let address = served_until(cut.clone()).await;
    let opened = GrpcDriver::new()
        .consumer(&address, &OpenOptions::default())
        .await;
    let (mut consumer, _settler) = opened.unwrap();
    cut.cancel();
    tokio::time::pause();
    let received = timeout(
        Duration::from_secs(120),
        consumer.receive(ReceiveLimit::ONE),
    );
    let error = received.await.expect("it gives up").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disconnected, "{error}");
}
