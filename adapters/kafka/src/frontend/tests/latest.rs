//! The latest offset, as ListOffsets tells it.

use super::*;

#[tokio::test]
async fn the_latest_offset_counts_what_was_answered_before_its_sync() {
    let served = served().await;
    served.broker.ensure_topic(NAMESPACE, "t").await.unwrap();
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    let asked = ListOffsetsRequest {
        topics: vec![ListTopic {
            name: "t".into(),
            partitions: vec![ListPartition {
                timestamp: -1,
                ..Default::default()
            }],
        }],
        ..Default::default()
    };
    for count in 1..=20 {
        let mut request = produce("t", batch(&["a"], None));
        request.acks = 1;
        let answer: ProduceResponse = ask(&mut socket, ApiKey::Produce, 11, &request).await;
        assert_eq!(answer.responses[0].partitions[0].error_code, 0);
        let told: ListOffsetsResponse = ask(&mut socket, ApiKey::ListOffsets, 9, &asked).await;
        assert_eq!(told.topics[0].partitions[0].offset, count);
    }
}
