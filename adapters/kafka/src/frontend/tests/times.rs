//! Offsets by time where a partition begins inside a batch, and by times that are none.

use super::{latest::listed, partitions::shortened, *};

fn timed(times: &[i64]) -> Bytes {
    let mut builder = BatchBuilder::new(Offset(0), 0);
    for (offset, time) in times.iter().enumerate() {
        let (record, _) = record_of(&Message::new("x"));
        builder.push(Offset(offset as u64), Millis(*time), record);
    }
    let mut out = BytesMut::new();
    builder.finish(Offset(times.len() as u64), &mut out);
    out.freeze()
}

/// A topic of those batches that begins at `start`, and offsets on it by time.
async fn check(batches: &[&[i64]], start: i64, expected: &[(i64, i64)]) {
    let served = served().await;
    served.broker.ensure_topic(NAMESPACE, "t").await.unwrap();
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    for times in batches {
        produced(&mut socket, "t", timed(times)).await;
    }
    assert_eq!(shortened(&mut socket, "t", start).await, (start, 0));
    for (at, offset) in expected {
        assert_eq!(listed(&mut socket, *at).await, *offset, "at {at}");
    }
}

#[tokio::test]
async fn no_offset_is_listed_below_the_start() {
    let times: Vec<_> = (1000..1010).collect();
    check(&[&times[..]], 5, &[(0, 5), (1004, 5), (1007, 7), (-3, 9)]).await;
}

#[tokio::test]
async fn what_was_deleted_of_a_batch_stands_for_none_of_its_rest() {
    let batches = [&[3000, 1000, 1100][..], &[900], &[2000]];
    let expected = [(1000, 1), (1500, 4), (2000, 4), (2500, -1), (-3, 4)];
    check(&batches, 1, &expected).await;
    let expected = [(1050, 2), (1500, -1), (-3, 2)];
    check(&batches[..2], 1, &expected).await;
}

#[tokio::test]
async fn a_time_that_is_none_is_known_from_its_version_on() {
    let served = served().await;
    served.broker.ensure_topic(NAMESPACE, "t").await.unwrap();
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    produced(&mut socket, "t", timed(&[1000])).await;
    let unsupported = ErrorCode::UnsupportedVersion.number();
    for (timestamp, first) in [(-1, 1), (-2, 1), (-3, 7), (-4, 8), (-5, 9), (-6, 11)] {
        for version in 1..=10 {
            let asked = ListOffsetsRequest {
                topics: vec![ListTopic {
                    name: "t".into(),
                    partitions: vec![ListPartition {
                        timestamp,
                        ..Default::default()
                    }],
                }],
                ..Default::default()
            };
            let key = ApiKey::ListOffsets;
            let told: ListOffsetsResponse = ask(&mut socket, key, version, &asked).await;
            let told = &told.topics[0].partitions[0];
            let is_known = version >= first;
            let code = if is_known { 0 } else { unsupported };
            assert_eq!(told.error_code, code, "{timestamp} in {version}");
            assert!(is_known || (told.offset, told.timestamp) == (-1, -1));
        }
    }
}
