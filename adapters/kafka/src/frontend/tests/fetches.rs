//! How much a fetch waits for, and what it says besides.

use standpipe_core::broker::TopicBounds;

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

/// What is committed between the look at a partition's ends and the read may be among the records.
#[test]
fn no_record_is_at_the_high_watermark_that_is_told_beside_it() {
    let bounds = TopicBounds {
        start: Offset(0),
        stable: Offset(5),
        end: Offset(20),
    };
    let some = batch(&["a"], None);
    for (records, end, told) in [(&some, 10, 10), (&some, 3, 5), (&Bytes::new(), 10, 5)] {
        let read = (records.clone(), Offset(end));
        let fetched = crate::frontend::fetch::fetched(0, bounds, read);
        let ends = (fetched.high_watermark, fetched.last_stable_offset);
        assert_eq!(ends, (told, told), "up to {end}");
    }
}
