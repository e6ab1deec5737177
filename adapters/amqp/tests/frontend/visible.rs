//! What a channel published is in all that it asks for afterwards, as in RabbitMQ.

use std::{sync::Arc, time::Duration};

use standpipe_core::broker::DEFAULT_NAMESPACE;
use tokio::{task::yield_now, time::timeout};

use crate::{
    harness::{
        Raw, Server, declare, method, open_channel, opening, opening_capable_of, publish_persistent,
    },
    store::Gated,
};

const DECLARED: [u8; 2] = [50, 11];
const GET_OK: [u8; 2] = [60, 71];

/// `basic.get` from `q`, with acks.
fn get() -> Vec<u8> {
    method(1, 60, 70, b"\0\0\x01q\0")
}

/// A passive declaration of `q`.
fn look(channel: u16) -> Vec<u8> {
    method(channel, 50, 10, b"\0\0\x01q\x01\0\0\0\0")
}

fn confirm_select() -> Vec<u8> {
    method(1, 85, 10, &[0])
}

fn count_at(arguments: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(arguments[at..at + 4].try_into().expect("four octets"))
}

/// Messages behind this one, by the end of `basic.get-ok`.
fn behind(arguments: &[u8]) -> u32 {
    count_at(arguments, arguments.len() - 4)
}

/// A client with a durable queue `q` and channel 1, on a store that syncs nothing for now.
async fn held() -> (Arc<Gated>, Server, Raw) {
    let store = Arc::new(Gated::default());
    let server = Server::over(store.clone()).await;
    let mut client = server.raw().await;
    let hello = [opening(), open_channel(), declare()];
    client.send(&hello.concat()).await;
    client.until(&DECLARED).await;
    store.hold();
    (store, server, client)
}

#[tokio::test]
async fn a_channel_waits_for_what_it_published_and_others_do_not_wait_for_it() {
    let (store, _server, mut client) = held().await;
    let other = method(2, 20, 10, &[0]);
    let octets = [publish_persistent(b"a"), get(), other, look(2)];
    client.send(&octets.concat()).await;
    assert_eq!(client.method().await.0, [20, 11]);
    assert_eq!(client.method().await.0, DECLARED);
    store.release();
    assert_eq!(client.method().await.0, GET_OK);
}

#[tokio::test]
async fn what_was_published_is_counted_got_purged_and_deleted() {
    let purge = method(1, 50, 30, b"\0\0\x01q\0");
    let delete = method(1, 50, 40, b"\0\0\x01q\0");
    let cases = [
        (look(1), DECLARED, 2),
        (declare(), DECLARED, 2),
        (purge, [50, 31], 0),
        (delete, [50, 41], 0),
    ];
    for mode in [Vec::new(), confirm_select()] {
        for (request, answer, at) in &cases {
            let (store, _server, mut client) = held().await;
            let octets = [mode.clone(), publish_persistent(b"a"), request.clone()];
            client
                .send(&[octets.concat(), declared_elsewhere()].concat())
                .await;
            client.until(&DECLARED).await;
            store.release();
            let arguments = client.until(answer).await;
            assert_eq!(count_at(&arguments, *at), 1, "{answer:?}");
        }
    }
}

/// Opens channel 2 and asks there; its answer says that what came before was read.
fn declared_elsewhere() -> Vec<u8> {
    [method(2, 20, 10, &[0]), look(2)].concat()
}

#[tokio::test]
async fn frames_behind_one_that_waits_keep_their_order() {
    for mode in [Vec::new(), confirm_select()] {
        let (store, _server, mut client) = held().await;
        let pair = |body| [publish_persistent(body), get()].concat();
        let octets = [mode, pair(b"a"), pair(b"b"), declared_elsewhere()];
        client.send(&octets.concat()).await;
        client.until(&DECLARED).await;
        store.release();
        for tag in [1, 2] {
            let got = client.until(&GET_OK).await;
            assert_eq!((got[7], behind(&got)), (tag, 0));
        }
    }
}

#[tokio::test]
async fn a_close_comes_after_what_waits() {
    let channel_close = method(1, 20, 40, b"\0\xc8\0\0\0\0\0");
    let connection_close = method(0, 10, 50, b"\0\xc8\0\0\0\0\0");
    for (close, closed) in [(channel_close, [20, 41]), (connection_close, [10, 51])] {
        let (store, server, mut client) = held().await;
        let octets = [publish_persistent(b"a"), get(), close].concat();
        client.send(&octets).await;
        store.release();
        assert_eq!(client.method().await.0, GET_OK);
        assert_eq!(client.method().await.0, closed);
        let mut other = server.raw().await;
        other
            .send(&[opening(), open_channel(), get()].concat())
            .await;
        assert_eq!(behind(&other.until(&GET_OK).await), 0);
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_nothing_behind_that_it_had_sent() {
    let (store, server, mut client) = held().await;
    let octets = [publish_persistent(b"a"), get(), publish_persistent(b"b")];
    client.send(&octets.concat()).await;
    drop(client);
    store.release();
    let mut other = server.raw().await;
    other.send(&[opening(), open_channel()].concat()).await;
    let both = async {
        loop {
            other.send(&look(1)).await;
            if count_at(&other.until(&DECLARED).await, 2) == 2 {
                return;
            }
        }
    };
    timeout(Duration::from_secs(20), both)
        .await
        .expect("both come");
}

#[tokio::test]
async fn a_publish_that_is_lost_without_confirms_ends_its_channel() {
    let (store, _server, mut client) = held().await;
    let octets = [publish_persistent(b"a"), get(), declared_elsewhere()];
    client.send(&octets.concat()).await;
    client.until(&DECLARED).await;
    store.lose();
    let close = client.until(&[20, 40]).await;
    assert_eq!(close[..2], 541u16.to_be_bytes());
}

#[tokio::test]
async fn who_deletes_a_queue_is_answered_before_its_consumers_are_told() {
    let (store, server, _client) = held().await;
    store.release();
    let mut client = server.raw().await;
    let opening = opening_capable_of(b"consumer_cancel_notify", 0);
    let consume = method(1, 60, 20, b"\0\0\x01q\x01c\0\0\0\0\0");
    let delete = method(1, 50, 40, b"\0\0\x01q\0");
    client
        .send(&[opening, open_channel(), consume].concat())
        .await;
    client.until(&[60, 21]).await;
    store.hold();
    client.send(&delete).await;
    while server.broker.topic(DEFAULT_NAMESPACE, "q").is_some() {
        yield_now().await;
    }
    // A round trip, in which the consumer's task finds its queue gone.
    server.check_alive().await;
    store.release();
    assert_eq!(client.method().await.0, [50, 41], "queue.delete-ok");
    assert_eq!(client.method().await.0, [60, 30], "basic.cancel");
}
