//! Who is let in, and stays so.

use crate::harness::{Server, long, method, opening, opening_after, start_ok, start_ok_with};

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

/// All that the server says to a login, and after how many seconds it hangs up.
async fn told(server: &Server, start_ok: &[u8]) -> (Vec<u8>, u64) {
    let mut client = server.raw().await;
    client.send(b"AMQP\x00\x00\x09\x01").await;
    client.until(&[10, 10]).await;
    let before = tokio::time::Instant::now();
    client.send(start_ok).await;
    (client.rest().await, before.elapsed().as_secs())
}

#[tokio::test]
async fn wrong_credentials_are_403_to_a_client_that_can_be_told() {
    let server = Server::start().await;
    let logins: [(&[u8], Vec<u8>); 5] = [
        (b"PLAIN", b"\0guest\0wrong".to_vec()),
        (b"PLAIN", b"\0nobody\0guest".to_vec()),
        (b"PLAIN", b"\0\0".to_vec()),
        (b"AMQPLAIN", credentials(b"guest", b"wrong")),
        (b"AMQPLAIN", credentials(b"nobody", b"guest")),
    ];
    for (mechanism, response) in logins {
        let mut client = server.raw().await;
        client.send(b"AMQP\x00\x00\x09\x01").await;
        client.send(&start_ok(mechanism, &response)).await;
        assert_eq!(client.close_code().await, 403, "{response:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn wrong_credentials_of_another_client_end_in_silence() {
    let server = Server::start().await;
    let wrong = start_ok_with(&long(b""), b"PLAIN", b"\0guest\0wrong");
    assert_eq!(told(&server, &wrong).await, (Vec::new(), 3));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_mechanism_and_a_malformed_response_end_in_silence() {
    let server = Server::start().await;
    let whole = credentials(b"guest", b"guest");
    let logins: [(&[u8], &[u8]); 9] = [
        (b"EXTERNAL", b""),
        (b"", b"\0guest\0guest"),
        (b"PLAIN", b"guest"),
        (b"PLAIN", b"\0guest"),
        (b"PLAIN", b"\0guest\0guest\0"),
        (b"AMQPLAIN", b""),
        (b"AMQPLAIN", b"\0guest\0guest"),
        (b"AMQPLAIN", &whole[..16]),
        (b"AMQPLAIN", &whole[..whole.len() - 1]),
    ];
    for (mechanism, response) in logins {
        let start_ok = start_ok(mechanism, response);
        assert_eq!(
            told(&server, &start_ok).await,
            (Vec::new(), 3),
            "{response:?}"
        );
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
