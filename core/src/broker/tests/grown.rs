//! Partitions that are added, and offsets that are not there yet.

use super::*;

const P1: PartitionId = PartitionId(1);

#[tokio::test(start_paused = true)]
async fn a_reader_that_waits_reads_a_new_partition_too() {
    let broker = open(&Arc::default()).await;
    let topic = topic(&broker, Retention::Forever).await;
    let reader = broker.positional_reader(&topic, None, StartAt::Latest);
    let mut reader = reader.await.unwrap();
    let grown = async {
        tokio::task::yield_now().await;
        broker.grow_topic("/", "t", 2).await.unwrap();
        publish_in(&broker, 1).await;
    };
    let read = tokio::time::timeout(std::time::Duration::from_secs(60), reader.recv(10));
    let (read, ()) = tokio::join!(read, grown);
    assert_eq!(read.unwrap().unwrap()[0].receipt.partition, P1);
}

#[tokio::test]
async fn what_a_new_partition_delivered_before_a_crash_says_so() {
    let store = Arc::default();
    let broker = open(&store).await;
    let topic = topic(&broker, Retention::Forever).await;
    let workers = lease(&broker, &topic, "workers").await;
    broker.grow_topic("/", "t", 2).await.unwrap();
    publish_in(&broker, 1).await;
    let first = workers.get(broker.new_owner()).await.unwrap().unwrap();
    assert!(!first.redelivered);
    // Nothing is closed: a crash.
    let again = open(&store).await;
    let workers = again.topic("/", "t").unwrap().subscription("workers");
    let second = workers.unwrap().get(again.new_owner()).await;
    assert!(second.unwrap().unwrap().redelivered);
}

#[tokio::test]
async fn a_commit_beyond_the_end_trims_what_is_there_and_no_more() {
    let broker = open(&Arc::default()).await;
    let topic = topic(&broker, Retention::Settled).await;
    publish(&broker, 3).await;
    commit(&broker, "g", u64::MAX).await.unwrap().await.unwrap();
    let bounds = topic.bounds(P0).unwrap();
    assert_eq!((bounds.start, bounds.end), (Offset(3), Offset(3)));
    let workers = lease(&broker, &topic, "workers").await;
    publish(&broker, 1).await;
    let got = workers.get(broker.new_owner()).await.unwrap();
    assert_eq!(got.unwrap().receipt.offset, Offset(3));
}
