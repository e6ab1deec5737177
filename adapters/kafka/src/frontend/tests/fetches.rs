//! How much a fetch waits for.

use super::*;

/// The answer to a fetch that is ready to wait for a minute.
async fn at_once(socket: &mut TcpStream, request: &FetchRequest) -> Bytes {
    let fetched = tokio::time::timeout(Duration::from_secs(5), fetched(socket, request)).await;
    fetched.expect("it does not wait").records.unwrap()
}

#[tokio::test]
async fn a_fetch_of_more_than_an_answer_holds_does_not_wait_where_there_is_more() {
    let served = served().await;
    served.broker.ensure_topic(NAMESPACE, "t").await.unwrap();
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    let value: &'static str = "x".repeat(300 << 10).leak();
    for _ in 0..4 {
        produced(&mut socket, "t", batch(&[value], None)).await;
    }
    let mut asked = fetch("t", 0, 60_000);
    asked.min_bytes = 2 << 20;
    let three = at_once(&mut socket, &asked).await;
    assert!(three.len() > 900 << 10, "{}", three.len());
    asked.topics[0].partitions[0].partition_max_bytes = 1;
    let one = at_once(&mut socket, &asked).await;
    assert!(one.len() > 300 << 10, "{}", one.len());
}

#[tokio::test]
async fn a_fetch_waits_for_no_more_than_it_takes() {
    let served = served().await;
    served.broker.ensure_topic(NAMESPACE, "t").await.unwrap();
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    produced(&mut socket, "t", batch(&["a"], None)).await;
    let asked = FetchRequest {
        min_bytes: 1 << 20,
        max_bytes: 10,
        ..fetch("t", 0, 60_000)
    };
    assert!(!at_once(&mut socket, &asked).await.is_empty());
}
