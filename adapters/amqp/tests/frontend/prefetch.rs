//! `basic.qos` as RabbitMQ 3.10 has it: `global` is the channel's, beside each consumer's own.

use crate::harness::{Raw, Server, method, open_channel, opening, publish, publish_to};

const DELIVER: [u8; 2] = [60, 60];

fn qos(count: u8, global: bool) -> Vec<u8> {
    method(1, 60, 10, &[0, 0, 0, 0, 0, count, u8::from(global)])
}

/// `basic.consume` of a queue by a tag of one letter.
fn consume(queue: u8, tag: u8, no_ack: bool) -> Vec<u8> {
    let arguments = [0, 0, 1, queue, 1, tag, u8::from(no_ack) << 1, 0, 0, 0, 0];
    method(1, 60, 20, &arguments)
}

fn declare(queue: u8) -> Vec<u8> {
    method(1, 50, 10, &[0, 0, 1, queue, 0, 0, 0, 0, 0])
}

fn ack(tag: u8) -> Vec<u8> {
    method(1, 60, 80, &[0, 0, 0, 0, 0, 0, 0, tag, 0])
}

async fn client(server: &Server, octets: &[Vec<u8>]) -> Raw {
    let mut client = server.raw().await;
    client.send(&[opening(), open_channel()].concat()).await;
    client.send(&octets.concat()).await;
    client
}

/// The consumer of the next delivery.
async fn delivered(client: &mut Raw) -> char {
    client.until(&DELIVER).await[1].into()
}

/// Messages that are ready in `q`, by a passive declaration.
async fn ready(client: &mut Raw) -> u32 {
    let look = method(1, 50, 10, b"\0\0\x01q\x01\0\0\0\0");
    client.send(&look).await;
    let declared = client.until(&[50, 11]).await;
    u32::from_be_bytes(declared[2..6].try_into().expect("four octets"))
}

#[tokio::test]
async fn a_consumer_without_acks_waits_for_the_channels_prefetch_and_takes_none_of_it() {
    let server = Server::start().await;
    let first = [declare(b'q'), declare(b'r'), qos(1, true)];
    let mut client = client(&server, &first).await;
    let to_r = || publish_to(b"\x01r", &[0, 0], b"x");
    let one = [consume(b'r', b'a', false), to_r()];
    client.send(&one.concat()).await;
    assert_eq!(delivered(&mut client).await, 'a');
    let free = [consume(b'q', b'f', true), publish(b"1"), publish(b"2")];
    client.send(&free.concat()).await;
    client.until(&[60, 21]).await;
    assert_eq!(
        ready(&mut client).await,
        2,
        "the channel's prefetch is used up"
    );
    client.send(&ack(1)).await;
    assert_eq!(delivered(&mut client).await, 'f');
    assert_eq!(delivered(&mut client).await, 'f', "the first took no room");
    client.send(&to_r()).await;
    assert_eq!(delivered(&mut client).await, 'a', "nor the second");
}

#[tokio::test]
async fn consumers_share_the_channels_prefetch_and_keep_their_own() {
    let server = Server::start().await;
    let mut octets = vec![declare(b'q'), qos(2, false), qos(3, true)];
    octets.extend((0..10).map(|_| publish(b"x")));
    octets.extend([consume(b'q', b'a', false), consume(b'q', b'b', false)]);
    let mut client = client(&server, &octets).await;
    let mut tags = Vec::new();
    for _ in 0..3 {
        tags.push(delivered(&mut client).await);
    }
    tags.sort_unstable();
    assert!(
        tags == ['a', 'a', 'b'] || tags == ['a', 'b', 'b'],
        "{tags:?}"
    );
    assert_eq!(ready(&mut client).await, 7);
    client.send(&ack(1)).await;
    delivered(&mut client).await;
    assert_eq!(ready(&mut client).await, 6);
}

#[tokio::test]
async fn a_prefetch_of_consumers_lifts_that_of_the_channel() {
    let server = Server::start().await;
    let mut octets = vec![declare(b'q'), qos(1, true), consume(b'q', b'a', false)];
    octets.extend((0..3).map(|_| publish(b"x")));
    let mut client = client(&server, &octets).await;
    delivered(&mut client).await;
    assert_eq!(ready(&mut client).await, 2);
    client.send(&qos(1, false)).await;
    delivered(&mut client).await;
    delivered(&mut client).await;
}

#[tokio::test]
async fn the_channels_prefetch_goes_round_the_queues_that_wait_for_it() {
    let server = Server::start().await;
    let mut client = client(&server, b"qrs".map(declare).as_slice()).await;
    let messages = [b"\x01q", b"\x01r", b"\x01s"].map(|key| publish_to(key, &[0, 0], b"x"));
    client.send(&messages.concat().repeat(9)).await;
    client.send(&qos(1, true)).await;
    let consumers = [(b'q', b'a'), (b'r', b'b'), (b's', b'c')];
    let consumers = consumers.map(|(queue, tag)| consume(queue, tag, false));
    client.send(&consumers.concat()).await;
    let mut served = Vec::new();
    for tag in 1..=9 {
        served.push(delivered(&mut client).await);
        client.send(&ack(tag)).await;
    }
    for consumer in ['a', 'b', 'c'] {
        assert!(
            served.contains(&consumer),
            "{consumer} is not in {served:?}"
        );
    }
}
