//! Publishers are told when the store takes no messages, and when it takes them again.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use crate::{
    harness::{Raw, Server, capable_opening, declare, method, open_channel, opening, publish},
    store::Gated,
};

const BLOCKED: [u8; 2] = [10, 60];
const UNBLOCKED: [u8; 2] = [10, 61];
const DECLARED: [u8; 2] = [50, 11];
const NACK: [u8; 2] = [60, 120];

fn confirm_select() -> Vec<u8> {
    method(1, 85, 10, &[0])
}

async fn client(server: &Server, opening: Vec<u8>) -> Raw {
    let mut client = server.raw().await;
    let hello = [opening, open_channel(), confirm_select(), declare()];
    client.send(&hello.concat()).await;
    client.until(&DECLARED).await;
    client
}

/// What comes up to and with the answer to a declare.
async fn answers(client: &mut Raw) -> Vec<[u8; 2]> {
    client.send(&declare()).await;
    let mut found = Vec::new();
    while found.last() != Some(&DECLARED) {
        found.push(client.method().await.0);
    }
    found
}

async fn start() -> (Arc<Gated>, Server) {
    let store = Arc::new(Gated::default());
    let server = Server::over(store.clone()).await;
    (store, server)
}

#[tokio::test]
async fn a_publisher_is_told_why_and_when_it_ends() {
    let (store, server) = start().await;
    let mut publisher = client(&server, capable_opening(0)).await;
    publisher.send(&publish(b"taken")).await;
    publisher.until(&[60, 80]).await;
    for _ in 0..2 {
        store.fill();
        let reason = publisher.until(&BLOCKED).await;
        assert_eq!(reason, b"\x18append: the disk is full");
        store.empty();
        assert_eq!(publisher.until(&UNBLOCKED).await, b"");
    }
}

#[tokio::test]
async fn a_connection_is_told_at_its_first_publish_and_not_before() {
    let (store, server) = start().await;
    let mut publisher = client(&server, capable_opening(0)).await;
    publisher.send(&publish(b"taken")).await;
    let mut other = client(&server, capable_opening(0)).await;
    store.fill();
    publisher.until(&BLOCKED).await;
    assert_eq!(answers(&mut other).await, [DECLARED]);
    other.send(&publish(b"refused")).await;
    assert_eq!(other.method().await.0, BLOCKED);
    assert_eq!(other.method().await.0, NACK);
    other.send(&publish(b"refused")).await;
    assert_eq!(other.method().await.0, NACK, "it is told once");
    store.empty();
    assert_eq!(other.method().await.0, UNBLOCKED);
}

#[tokio::test]
async fn a_client_that_does_not_understand_is_told_nothing() {
    let (store, server) = start().await;
    let mut publisher = client(&server, capable_opening(0)).await;
    publisher.send(&publish(b"taken")).await;
    let mut plain = client(&server, opening()).await;
    store.fill();
    publisher.until(&BLOCKED).await;
    plain.send(&publish(b"refused")).await;
    plain.until(&NACK).await;
    assert_eq!(answers(&mut plain).await, [DECLARED]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_blocked_owes_no_heartbeats() {
    let (store, server) = start().await;
    let mut publisher = client(&server, capable_opening(20)).await;
    store.fill();
    publisher.send(&publish(b"refused")).await;
    publisher.until(&NACK).await;
    let silent = timeout(Duration::from_secs(300), publisher.method()).await;
    assert!(silent.is_err(), "it is not closed");
    store.empty();
    publisher.until(&UNBLOCKED).await;
    let before = tokio::time::Instant::now();
    publisher.rest().await;
    let waited = before.elapsed().as_secs();
    assert!((40..=90).contains(&waited), "closed after {waited} s");
}

#[tokio::test]
async fn nothing_is_told_behind_the_end_of_a_connection() {
    let (store, server) = start().await;
    let mut publisher = client(&server, capable_opening(0)).await;
    publisher.send(&publish(b"taken")).await;
    publisher.until(&[60, 80]).await;
    publisher
        .send(&method(0, 10, 50, b"\0\xc8\0\0\0\0\0"))
        .await;
    publisher.until(&[10, 51]).await;
    store.fill();
    assert_eq!(publisher.rest().await, b"");
}
