//! What becomes of a batch's records: refused by name, or compressed as the topic says.

use standpipe_core::{entry::Format, store::ReadLimit};

use super::{
    super::prepare::Refused,
    retention::{change, create, described},
    *,
};

const TYPE: &str = "compression.type";

/// A batch whose records are `records`, with a compression's number.
pub(super) fn holding(count: i32, number: u8, records: &[u8]) -> Bytes {
    let plain = batch(&["a"], None);
    let mut out = BytesMut::from(&plain[..61]);
    out.extend_from_slice(records);
    let length = (out.len() - 12) as u32;
    out[8..12].copy_from_slice(&length.to_be_bytes());
    out[22] = number;
    out[23..27].copy_from_slice(&(count - 1).to_be_bytes());
    out[57..61].copy_from_slice(&count.to_be_bytes());
    let crc = crc32c(&out[21..]);
    out[17..21].copy_from_slice(&crc.to_be_bytes());
    out.freeze()
}

/// The compression of the first batch of `t`, as it is stored.
async fn stored(served: &Served) -> u8 {
    let topic = served.broker.topic(NAMESPACE, "t").unwrap();
    let limit = ReadLimit {
        bytes: 1 << 20,
        entries: 1,
    };
    let entries = topic
        .read(standpipe_core::id::PartitionId(0), Offset(0), limit)
        .await
        .unwrap();
    assert_eq!(entries[0].draft.format, Format::KAFKA2);
    entries[0].body()[22]
}

/// As Kafka does; that it does not decompress is an unknown error there.
#[tokio::test]
async fn a_batch_that_does_not_read_is_refused_and_leaves_no_trace() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    create(&mut socket, "t", &[]).await;
    let records = batch(&["a", "b"], None).slice(61..);
    let zstd = zstd::encode_all(&records[..], 3).unwrap();
    let bad = [
        holding(2, 4, &[b'x'; 80]),
        holding(2, 4, &zstd[..zstd.len() - 1]),
        holding(3, 4, &zstd),
        holding(1, 4, &zstd),
        holding(1, 0, &records),
        holding(2, 0, &records[..records.len() - 1]),
    ];
    for body in bad {
        let refused = produced(&mut socket, "t", body).await;
        assert_eq!(refused.error_code, ErrorCode::InvalidRecord.number());
        assert!(refused.record_errors.is_empty(), "{refused:?}");
    }
    let taken = produced(&mut socket, "t", holding(2, 4, &zstd)).await;
    assert_eq!((taken.error_code, taken.base_offset), (0, 0));
}

/// KIP-467: librdkafka and Kafka's own clients fail these by themselves, and the others beside them.
#[tokio::test]
async fn records_without_a_key_are_named_on_a_compacted_topic() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    create(&mut socket, "t", &[("cleanup.policy", "compact")]).await;
    let mut builder = BatchBuilder::new(Offset(0), 0);
    let keyed = Message::new("b").with_key("k");
    for (offset, message) in [Message::new("a"), keyed, Message::new("c")]
        .iter()
        .enumerate()
    {
        let (record, time) = record_of(message);
        builder.push(Offset(offset as u64), time, record);
    }
    let mut body = BytesMut::new();
    builder.finish(Offset(3), &mut body);
    let refused = produced(&mut socket, "t", body.freeze()).await;
    assert_eq!(refused.error_code, ErrorCode::InvalidRecord.number());
    let named: Vec<_> = refused
        .record_errors
        .iter()
        .map(|one| one.batch_index)
        .collect();
    assert_eq!(named, [0, 2], "{refused:?}");
}

#[tokio::test]
async fn an_answer_names_records_up_to_its_limit_over_all_partitions() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    create(&mut socket, "t", &[("cleanup.policy", "compact")]).await;
    let mut request = produce("t", batch(&["x"; 3000], None));
    let partitions = &mut request.topics[0].partitions;
    let again = partitions[0].clone();
    partitions.resize(3, again);
    let refused: ProduceResponse = ask(&mut socket, ApiKey::Produce, 11, &request).await;
    let refused = refused.responses[0].partitions.iter();
    let named = refused.map(|one| (one.error_code, one.record_errors.len()));
    let code = ErrorCode::InvalidRecord.number();
    let expected = [3000, 1096, 0].map(|count| (code, count));
    assert_eq!(named.collect::<Vec<_>>(), expected);
}

#[test]
fn records_that_are_not_named_hold_no_memory() {
    let record = RecordError {
        batch_index: 0,
        message: None,
    };
    let mut refused = Refused {
        failure: (ErrorCode::InvalidRecord, String::new()),
        records: vec![record; 3000],
    };
    let mut room = 1000;
    refused.name_at_most(&mut room);
    assert!(refused.records.capacity() < 2000);
    refused.name_at_most(&mut room);
    assert_eq!((refused.records.capacity(), room), (0, 0));
}

/// As at Kafka, a topic that compresses with it is not for older clients; what producers compressed by
/// themselves is not looked at.
#[tokio::test]
async fn zstd_is_for_versions_that_have_it() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    let socket = &mut socket;
    create(socket, "t", &[]).await;
    let records = batch(&["a"], None).slice(61..);
    let body = holding(1, 4, &zstd::encode_all(&records[..], 3).unwrap());
    let unsupported = ErrorCode::UnsupportedCompressionType.number();
    for (version, code) in [(3, unsupported), (6, unsupported), (7, 0)] {
        let request = produce("t", body.clone());
        let said: ProduceResponse = ask(socket, ApiKey::Produce, version, &request).await;
        let said = &said.responses[0].partitions[0];
        assert_eq!(said.error_code, code, "produce {version}");
    }
    for (kept, old) in [("producer", 0), ("zstd", unsupported)] {
        change(socket, TYPE, 0, Some(kept)).await;
        for (version, code) in [(4, old), (9, old), (10, 0)] {
            let request = fetch("t", 0, 0);
            let said: FetchResponse = ask(socket, ApiKey::Fetch, version, &request).await;
            let said = &said.responses[0].partitions[0];
            assert_eq!(said.error_code, code, "{kept}, fetch {version}");
            let records = said.records.as_ref().unwrap();
            assert_eq!(records.is_empty(), code != 0);
        }
    }
}

#[tokio::test]
async fn a_topic_compresses_what_comes_otherwise() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    create(
        &mut socket,
        "t",
        &[(TYPE, "zstd"), ("compression.zstd.level", "1")],
    )
    .await;
    assert_eq!(
        described(&mut socket, &[TYPE]).await,
        [("zstd".into(), false)]
    );
    produced(&mut socket, "t", batch(&["a", "b"], None)).await;
    assert_eq!(stored(&served).await, 4);
}

#[tokio::test]
async fn a_topics_compression_is_the_producers_until_it_is_set_and_after() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    create(&mut socket, "t", &[]).await;
    assert_eq!(
        described(&mut socket, &[TYPE]).await,
        [("producer".into(), true)]
    );
    produced(&mut socket, "t", batch(&["a"], None)).await;
    assert_eq!(stored(&served).await, 0);
    assert_eq!(
        change(&mut socket, TYPE, 0, Some("lz4")).await.error_code,
        0
    );
    let refused = change(&mut socket, TYPE, 0, Some("brotli")).await;
    assert_eq!(refused.error_code, ErrorCode::InvalidConfig.number());
    assert_eq!(
        described(&mut socket, &[TYPE]).await,
        [("lz4".into(), false)]
    );
    assert_eq!(change(&mut socket, TYPE, 1, None).await.error_code, 0);
    assert_eq!(
        described(&mut socket, &[TYPE]).await,
        [("producer".into(), true)]
    );
}
