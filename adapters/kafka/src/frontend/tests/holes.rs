//! Fetches over what the store has forgotten.

use standpipe_core::{
    id::{LogId, PartitionId},
    store::{Commit, Durability, Epoch, Op, Store},
};

use super::*;

#[tokio::test]
async fn a_fetch_passes_over_what_was_forgotten_and_reaches_the_end() {
    let served = served().await;
    let topic = served.broker.ensure_topic(NAMESPACE, "t").await.unwrap();
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    for _ in 0..4 {
        produced(&mut socket, "t", batch(&["a", "b", "c"], None)).await;
    }
    let log = LogId {
        topic: topic.id(),
        partition: PartitionId(0),
    };
    let forget = |from, to| Op::Forget {
        log,
        range: Offset(from)..Offset(to),
    };
    let commit = Commit {
        ops: vec![forget(0, 6), forget(9, 12)],
        durability: Durability::Os,
        epoch: Epoch(1),
    };
    served.store.submit(commit).unwrap();
    let records = fetched(&mut socket, &fetch("t", 1, 0)).await.records;
    assert_eq!(records.unwrap()[..8], 6u64.to_be_bytes());
    // Nothing is left from 9 on: an empty batch that ends at the high watermark.
    let rest = fetched(&mut socket, &fetch("t", 9, 60_000)).await;
    let records = rest.records.unwrap();
    assert_eq!((rest.error_code, rest.high_watermark), (0, 12));
    assert_eq!(records[..8], 11u64.to_be_bytes(), "it covers the last one");
    assert_eq!(records[57..61], 0u32.to_be_bytes(), "and holds no records");
    assert_eq!(records.len(), 61);
}
