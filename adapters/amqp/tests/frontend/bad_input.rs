//! What no good client sends is refused or ends its connection, and nobody else notices.

use std::time::Duration;

use tokio::time::timeout;

use crate::harness::{
    Server, frame, method, open_channel, opening, opening_with, opening_with_channels, publish,
};

#[tokio::test]
async fn another_protocol_is_answered_with_ours_and_closed() {
    let server = Server::start().await;
    let mut client = server.raw().await;
    client.send(b"AMQP\x01\x01\x00\x0a").await;
    assert_eq!(client.rest().await, b"AMQP\x00\x00\x09\x01");
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_is_not_finished_is_closed_after_ten_seconds() {
    let server = Server::start().await;
    let mut client = server.raw().await;
    let before = tokio::time::Instant::now();
    client.send(b"AMQP\x00\x00\x09\x01").await;
    client.rest().await;
    let waited = before.elapsed().as_secs();
    assert!((10..=16).contains(&waited), "closed after {waited} s");
}

#[tokio::test(start_paused = true)]
async fn a_client_without_heartbeats_is_closed_after_two_intervals() {
    let server = Server::start().await;
    let mut client = server.raw().await;
    client.send(&opening_with(20)).await;
    client.until(&[10, 41]).await;
    let before = tokio::time::Instant::now();
    client.rest().await;
    let waited = before.elapsed().as_secs();
    assert!((40..=50).contains(&waited), "closed after {waited} s");
}

#[tokio::test]
async fn an_unknown_exchange_type_closes_the_channel_alone() {
    let server = Server::start().await;
    let mut client = server.raw().await;
    let declare = method(1, 40, 10, b"\0\0\x01x\x07nothing\0\0\0\0\0");
    client
        .send(&[opening(), open_channel(), declare].concat())
        .await;
    let close = client.until(&[20, 40]).await;
    assert_eq!(close[..2], 406u16.to_be_bytes());
    let closed = method(1, 20, 41, b"");
    client.send(&[closed, open_channel()].concat()).await;
    client.until(&[20, 11]).await;
}

#[tokio::test]
async fn a_handshake_and_a_publish_cut_anywhere_leave_the_server_alive() {
    let server = Server::start().await;
    let whole = [opening(), open_channel(), publish(b"hello")].concat();
    for cut in 0..whole.len() {
        let mut client = server.raw().await;
        client.send(&whole[..cut]).await;
    }
    server.check_alive().await;
}

#[tokio::test]
async fn frames_out_of_place_are_refused_with_their_codes() {
    let server = Server::start().await;
    let nested = (0..5000).fold(Vec::new(), |inner: Vec<u8>, _| {
        let length = u32::try_from(inner.len()).unwrap().to_be_bytes();
        [&b"A"[..], &length, &inner].concat()
    });
    let table = [&[1, b'x'][..], &nested].concat();
    let length = u32::try_from(table.len()).unwrap().to_be_bytes();
    let deep = [&b"\0\0\x01q\0"[..], &length, &table].concat();
    let one_octet = [&[0, 60, 0, 0][..], &1u64.to_be_bytes(), &[0, 0]].concat();
    let long_body = [
        method(1, 60, 40, b"\0\0\0\x01q\0"),
        frame(2, 1, &one_octet),
        frame(3, 1, b"xy"),
    ];
    let cases: [(&str, Vec<u8>, u16); 12] = [
        ("unknown frame type", frame(9, 1, b"abcd"), 501),
        ("no end octet", vec![1, 0, 1, 0, 0, 0, 1, 0, 0], 501),
        ("2^31 octets announced", vec![3, 0, 1, 0x80, 0, 0, 0], 501),
        ("body without publish", frame(3, 1, b"x"), 505),
        (
            "two octets where one was announced",
            long_body.concat(),
            501,
        ),
        (
            "method within a publish",
            [method(1, 60, 40, b"\0\0\0\x01q\0"), open_channel()].concat(),
            505,
        ),
        ("channel that is not open", method(7, 60, 10, &[0; 7]), 504),
        ("unknown method", method(1, 60, 99, b""), 503),
        ("flow-ok unasked", method(1, 20, 21, &[1]), 503),
        ("close-ok unasked", method(1, 20, 41, b""), 503),
        ("connection.close-ok unasked", method(0, 10, 51, b""), 504),
        ("5,000 levels", method(1, 50, 10, &deep), 501),
    ];
    for (what, octets, code) in cases {
        let mut client = server.raw().await;
        client.send(&[opening(), open_channel()].concat()).await;
        client.until(&[20, 11]).await;
        client.send(&octets).await;
        assert_eq!(client.close_code().await, code, "{what}");
    }
    server.check_alive().await;
}

#[tokio::test]
async fn a_message_above_the_limit_closes_its_channel_only() {
    let server = Server::start().await;
    let mut client = server.raw().await;
    client.send(&[opening(), open_channel()].concat()).await;
    let mut header = vec![0, 60, 0, 0];
    header.extend((1u64 << 40).to_be_bytes());
    header.extend([0, 0]);
    client.send(&method(1, 60, 40, b"\0\0\0\x01q\0")).await;
    client.send(&frame(2, 1, &header)).await;
    let arguments = client.until(&[20, 40]).await;
    assert_eq!(arguments[..2], 406u16.to_be_bytes());
    client.send(&method(1, 20, 41, b"")).await;
    client.send(&open_channel()).await;
    client.until(&[20, 11]).await;
}

#[tokio::test]
async fn channels_are_counted_and_may_have_any_number() {
    let server = Server::start().await;
    let mut client = server.raw().await;
    client.send(&opening_with_channels(2)).await;
    let open = |id| method(id, 20, 10, &[0]);
    client.send(&[open(60_000), open(7)].concat()).await;
    for _ in 0..2 {
        client.until(&[20, 11]).await;
    }
    let close = method(7, 20, 40, b"\0\xc8\0\0\0\0\0");
    client.send(&[close, open(8)].concat()).await;
    client.until(&[20, 11]).await;
    client.send(&open(9)).await;
    assert_eq!(client.close_code().await, 530);
}

#[tokio::test]
async fn a_client_that_closes_may_hang_up_first() {
    let server = Server::start().await;
    let mut client = server.raw().await;
    let close = method(0, 10, 50, b"\0\xc8\0\0\0\0\0");
    let octets = [opening(), open_channel(), close, publish(b"behind")];
    client.send(&octets.concat()).await;
    client.until(&[10, 51]).await;
    let hung_up = timeout(Duration::from_millis(200), client.rest()).await;
    assert!(
        hung_up.is_err(),
        "a publish behind it would meet a closed socket"
    );
}

#[tokio::test]
async fn the_text_of_a_close_is_cut_between_two_characters() {
    let server = Server::start().await;
    let mut client = server.raw().await;
    let name = "ü".repeat(117);
    let length = u8::try_from(name.len()).expect("a short string");
    let look = [&[0, 0, length][..], name.as_bytes(), &[1, 0, 0, 0, 0]].concat();
    let octets = [opening(), open_channel(), method(1, 50, 10, &look)];
    client.send(&octets.concat()).await;
    let close = client.until(&[20, 40]).await;
    assert_eq!(close[..2], 404u16.to_be_bytes());
    let text = &close[3..][..usize::from(close[2])];
    let text = std::str::from_utf8(text).expect("whole characters");
    let whole = "ü".repeat(116);
    assert_eq!(text, format!("NOT_FOUND - no queue '{whole}"));
}

#[tokio::test]
async fn a_refusal_names_the_method_that_it_is_for() {
    let publish_to_nothing = [
        method(1, 60, 40, b"\0\0\x04none\x01q\0"),
        frame(
            2,
            1,
            &[&[0, 60, 0, 0][..], &1u64.to_be_bytes(), &[0, 0]].concat(),
        ),
        frame(3, 1, b"x"),
    ];
    let cases = [
        (publish_to_nothing.concat(), [20, 40], [60, 40]),
        (method(1, 40, 20, b"\0\0\x07amq.own\0"), [20, 40], [40, 20]),
        (
            [method(1, 60, 40, b"\0\0\0\x01q\0"), open_channel()].concat(),
            [10, 50],
            [60, 40],
        ),
        (frame(9, 1, b"abcd"), [10, 50], [0, 0]),
    ];
    let server = Server::start().await;
    for (octets, close, refused) in cases {
        let mut client = server.raw().await;
        client
            .send(&[opening(), open_channel(), octets].concat())
            .await;
        let arguments = client.until(&close).await;
        let [.., _, class, _, number] = arguments[..] else {
            panic!("no class and method");
        };
        assert_eq!([class, number], refused);
    }
}
