//! Who is let in, and stays so.

use crate::harness::{Server, long, method, opening, opening_after, start_ok};

/// The response of AMQPLAIN: a table without its length.
fn credentials(user: &[u8], password: &[u8]) -> Vec<u8> {
    [
        b"\x05LOGINS",
        &*long(user),
        b"\x08PASSWORDS",
        &*long(password),
    ]
    .concat()
}

#[tokio::test]
async fn amqplain_lets_guest_in() {
    let server = Server::start().await;
    let mut client = server.raw().await;
    let start_ok = start_ok(b"AMQPLAIN", &credentials(b"guest", b"guest"));
    client.send(&opening_after(start_ok, 0)).await;
    client.until(&[10, 41]).await;
}

#[tokio::test]
async fn amqplain_with_anything_else_is_403() {
    let server = Server::start().await;
    let whole = credentials(b"guest", b"guest");
    let responses = [
        credentials(b"guest", b"wrong"),
        credentials(b"nobody", b"guest"),
        whole[..whole.len() - 1].to_vec(),
        whole[..16].to_vec(),
        Vec::new(),
        b"\0guest\0guest".to_vec(),
    ];
    for response in responses {
        let mut client = server.raw().await;
        client.send(b"AMQP\x00\x00\x09\x01").await;
        client.send(&start_ok(b"AMQPLAIN", &response)).await;
        assert_eq!(client.close_code().await, 403, "{response:?}");
    }
}

#[tokio::test]
async fn a_new_secret_is_taken_and_the_connection_goes_on() {
    let server = Server::start().await;
    let mut client = server.raw().await;
    let update = method(0, 10, 70, &[&*long(b"new"), b"\x07expired"].concat());
    client.send(&[opening(), update].concat()).await;
    client.until(&[10, 71]).await;
    client.send(&method(1, 20, 10, &[0])).await;
    client.until(&[20, 11]).await;
}
