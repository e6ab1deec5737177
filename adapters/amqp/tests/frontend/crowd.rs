//! More clients than are let in.

use std::time::Duration;

use tokio::time::timeout;

use crate::harness::{Raw, Server, opening};

async fn opened(server: &Server) -> Raw {
    let mut client = server.raw().await;
    client.send(&opening()).await;
    client.until(&[10, 41]).await;
    client
}

#[tokio::test]
async fn a_client_waits_while_as_many_are_connected_as_may_be() {
    let server = Server::letting_in(2).await;
    let (first, _second) = (opened(&server).await, opened(&server).await);
    let mut third = Box::pin(opened(&server));
    let waits = timeout(Duration::from_millis(200), &mut third).await;
    assert!(waits.is_err(), "a third of two is let in");
    drop(first);
    let let_in = timeout(Duration::from_secs(20), third).await;
    assert!(let_in.is_ok(), "nobody is let in where one has left");
}
