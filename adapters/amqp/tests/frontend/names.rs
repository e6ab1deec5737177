//! Names of queues and exchanges.

use crate::harness::{Server, method, open_channel, opening};

/// Where RabbitMQ takes line breaks out of names: what is declared, bound and deleted.
#[tokio::test]
async fn line_breaks_in_names_are_taken_out_where_things_are_declared_bound_and_deleted() {
    let server = Server::start().await;
    let mut client = server.raw().await;
    client.send(&[opening(), open_channel()].concat()).await;
    let queue = b"\0\0\x06\r\nq\n1\r\0\0\0\0\0";
    client.send(&method(1, 50, 10, queue)).await;
    assert_eq!(client.until(&[50, 11]).await[..3], *b"\x02q1");
    let exchange = b"\0\0\x03x\n1\x06fanout\0\0\0\0\0";
    let passive = b"\0\0\x03\nx1\x06fanout\x01\0\0\0\0";
    for declare in [exchange, passive] {
        client.send(&method(1, 40, 10, declare)).await;
        client.until(&[40, 11]).await;
    }
    let passive = b"\0\0\x03q1\r\x01\0\0\0\0";
    client.send(&method(1, 50, 10, passive)).await;
    client.until(&[50, 11]).await;
    client
        .send(&method(1, 50, 20, b"\0\0\x03q\n1\x03x1\r\0\0\0\0\0\0"))
        .await;
    client.until(&[50, 21]).await;
    client
        .send(&method(
            1,
            40,
            30,
            b"\0\0\x0bamq.\nfanout\x03x\n1\0\0\0\0\0\0",
        ))
        .await;
    client.until(&[40, 31]).await;
    client.send(&method(1, 40, 20, b"\0\0\x03x1\n\0")).await;
    client.until(&[40, 21]).await;
    client.send(&method(1, 50, 40, b"\0\0\x03q1\n\0")).await;
    assert_eq!(client.until(&[50, 41]).await, [0; 4]);
    client
        .send(&method(1, 50, 10, b"\0\0\x02q1\x01\0\0\0\0"))
        .await;
    let close = client.until(&[20, 40]).await;
    assert_eq!(close[..2], 404u16.to_be_bytes(), "it was deleted");
}

#[tokio::test]
async fn line_breaks_in_names_stay_where_messages_go() {
    let purge = method(1, 50, 30, b"\0\0\x02q\n\0");
    let get = method(1, 60, 70, b"\0\0\x02q\n\0");
    let consume = method(1, 60, 20, b"\0\0\x02q\n\0\0\0\0\0\0");
    for request in [purge, get, consume] {
        let server = Server::start().await;
        let mut client = server.raw().await;
        client.send(&[opening(), open_channel()].concat()).await;
        client
            .send(&method(1, 50, 10, b"\0\0\x01q\0\0\0\0\0"))
            .await;
        client.send(&request).await;
        let close = client.until(&[20, 40]).await;
        assert_eq!(close[..2], 404u16.to_be_bytes());
    }
}
