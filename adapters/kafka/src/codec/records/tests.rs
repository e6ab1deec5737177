mod survey;

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use standpipe_core::{
    checksum::crc32c,
    codec::Codec,
    entry::{Draft, Entry, Format},
    id::{Millis, Offset},
    message::{Decimal, Message, Props, Text, Value},
};

use super::{
    BadBatch, BatchBuilder, KafkaCodec, check,
    header::{CRC_AT, CRC_FROM, LENGTH},
    put_patched, record_of,
};

fn batch(messages: &[Message]) -> Bytes {
    let mut builder = BatchBuilder::new(Offset(0), 0);
    for (offset, message) in messages.iter().enumerate() {
        let (record, time) = record_of(message);
        builder.push(Offset(offset as u64), time, record);
    }
    let mut out = BytesMut::new();
    builder.finish(Offset(messages.len() as u64), &mut out);
    out.freeze()
}

fn entry(body: Bytes) -> Entry {
    let draft = check(&body).unwrap_or_else(|_| Draft::single(Format::KAFKA2, body));
    Entry {
        base_offset: Offset(1000),
        appended: Millis(7),
        leader_epoch: 3,
        draft,
    }
}

fn decoded(body: Bytes) -> Vec<Message> {
    KafkaCodec.decode(&entry(body)).unwrap()
}

/// The batch with its records packed, and attributes, length and checksum to fit.
fn packed(plain: &Bytes, attributes: u8, records: &[u8]) -> Bytes {
    let mut out = BytesMut::from(&plain[..LENGTH]);
    out.extend_from_slice(records);
    out[22] = attributes;
    rewrite(&mut out);
    out.freeze()
}

fn rewrite(batch: &mut BytesMut) {
    let length = (batch.len() - 12) as u32;
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    let crc = crc32c(&batch[CRC_FROM..]);
    batch[CRC_AT..CRC_FROM].copy_from_slice(&crc.to_be_bytes());
}

fn messages() -> Vec<Message> {
    let mut tombstone = Message::default().with_key("k");
    tombstone.props.timestamp = Some(Millis(1_357_034_400_123));
    let mut full = Message::new(Bytes::from_static(&[0xff, 0]))
        .with_key("")
        .with_header("a", "1")
        .with_header("n", Value::Null)
        .with_header("a", Value::Bytes(Bytes::from_static(b"\xfe")))
        .with_header("", "");
    full.props.timestamp = Some(Millis(1_357_034_400_000));
    let mut empty = Message::new("");
    empty.props.timestamp = Some(Millis(0));
    vec![tombstone, full, empty]
}

#[test]
fn records_are_restored_exactly() {
    assert_eq!(decoded(batch(&messages())), messages());
}

#[test]
fn every_compression_is_read() {
    let plain = batch(&messages());
    let records = plain.slice(LENGTH..);
    let gzip = {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Default::default());
        encoder.write_all(&records).unwrap();
        encoder.finish().unwrap()
    };
    let lz4 = {
        use std::io::Write;
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        encoder.write_all(&records).unwrap();
        encoder.finish().unwrap()
    };
    let snappy = snap::raw::Encoder::new().compress_vec(&records).unwrap();
    let mut xerial = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
    xerial.extend_from_slice(&(snappy.len() as u32).to_be_bytes());
    xerial.extend_from_slice(&snappy);
    let zstd = zstd::encode_all(&records[..], 3).unwrap();
    for (number, packing) in [(1, gzip), (2, snappy), (2, xerial), (3, lz4), (4, zstd)] {
        let body = packed(&plain, number, &packing);
        assert!(check(&body).is_ok(), "compression {number}");
        assert_eq!(decoded(body), messages(), "compression {number}");
    }
}

#[test]
fn a_bomb_is_refused_by_what_comes_out_of_it() {
    let plain = batch(&messages());
    let zeros = vec![0u8; 65 << 20];
    let zstd = zstd::encode_all(&zeros[..], 3).unwrap();
    let bomb = packed(&plain, 4, &zstd);
    assert!(KafkaCodec.decode(&entry(bomb)).is_err());
    let lie = packed(&plain, 2, b"\xff\xff\xff\xff\x0f\x00\x00");
    assert!(KafkaCodec.decode(&entry(lie)).is_err());
}

#[test]
fn a_checked_batch_says_what_it_holds() {
    let draft = check(&batch(&messages())).unwrap();
    assert_eq!((draft.span, draft.visible), (3, 3));
    assert_eq!(draft.producer, None);
    let created = (Millis(1_357_034_400_123), Millis(1_357_034_400_123));
    assert_eq!(draft.created, Some(created));
}

#[test]
fn a_batch_that_is_cut_short_or_changed_anywhere_is_refused() {
    let whole = batch(&messages());
    for end in 0..whole.len() {
        assert!(check(&whole.slice(..end)).is_err(), "cut at {end}");
    }
    for at in 8..whole.len() {
        let mut changed = BytesMut::from(&whole[..]);
        changed[at] ^= 0x40;
        // The leader epoch is the broker's.
        let is_ours = (12..16).contains(&at);
        assert_eq!(check(&changed.freeze()).is_ok(), is_ours, "changed at {at}");
    }
}

#[test]
fn control_transactional_and_miscounted_batches_are_refused() {
    let plain = batch(&messages());
    let with = |at: usize, octets: &[u8]| {
        let mut changed = BytesMut::from(&plain[..]);
        changed[at..at + octets.len()].copy_from_slice(octets);
        rewrite(&mut changed);
        check(&changed.freeze())
    };
    assert!(matches!(with(22, &[0x20]), Err(BadBatch::Invalid(_))));
    assert_eq!(with(22, &[0x10]), Err(BadBatch::Transactional));
    assert_eq!(with(22, &[0x05]), Err(BadBatch::Compression(5)));
    assert!(matches!(
        with(57, &4i32.to_be_bytes()),
        Err(BadBatch::Invalid(_))
    ));
    assert!(matches!(
        with(57, &i32::MAX.to_be_bytes()),
        Err(BadBatch::Invalid(_))
    ));
    assert_eq!(with(16, &[1]), Err(BadBatch::OldFormat));
    let twice = [&plain[..], &plain[..]].concat();
    assert!(matches!(check(&twice.into()), Err(BadBatch::Invalid(_))));
}

#[test]
fn only_offset_and_leader_epoch_are_patched() {
    let body = batch(&messages());
    let mut out = BytesMut::new();
    put_patched(&entry(body.clone()), &mut out);
    assert_eq!(out[..8], 1000u64.to_be_bytes());
    assert_eq!(out[12..16], 3u32.to_be_bytes());
    assert_eq!(out[8..12], body[8..12]);
    assert_eq!(out[16..], body[16..]);
    assert!(check(&out.freeze()).is_ok());
}

#[test]
fn what_kafka_has_no_place_for_goes_there_and_back() {
    let text = |text: &str| Some(Text::from(text));
    let mut message = Message::new("x")
        .with_key("k")
        .with_header("n", Value::I32(5))
        .with_header(
            "d",
            Value::Decimal(Decimal {
                scale: 1,
                value: 15,
            }),
        )
        .with_header("t", Value::Table(vec![("a".into(), Value::Bool(true))]))
        .with_header("s", "text");
    message.annotations.exchange = text("x");
    message.annotations.routing_key = text("flights.UA");
    message.props = Props {
        id: text("id"),
        correlation_id: text("c"),
        reply_to: text("r"),
        content_type: text("a/b"),
        content_encoding: text("e"),
        priority: Some(9),
        ttl: Some(60_000),
        deliver_at: Some(Millis(5)),
        timestamp: Some(Millis(1_357_034_400_123)),
        user_id: text("guest"),
        app_id: text("app"),
        kind: text("kind"),
        durable: Some(true),
    };
    assert_eq!(decoded(batch(&[message.clone()])), [message]);
}

#[test]
fn the_routing_key_is_the_key_where_none_is_set() {
    let mut message = Message::new("x");
    message.annotations.routing_key = Some("UA".into());
    message.annotations.appended = Some(Millis(77));
    let (record, time) = record_of(&message);
    assert_eq!(record.key, Some(Bytes::from_static(b"UA")));
    assert_eq!(
        time,
        Millis(77),
        "our clock, where the producer's is not known"
    );
}

#[test]
fn a_batch_of_holes_covers_its_offsets() {
    let mut out = BytesMut::new();
    BatchBuilder::new(Offset(10), 0).finish(Offset(15), &mut out);
    assert_eq!(out[23..27], 4i32.to_be_bytes(), "last offset delta");
    assert_eq!(out[57..61], 0i32.to_be_bytes(), "count");
    assert_eq!(out.len(), LENGTH);
}

proptest! {
    #[test]
    fn any_octets_are_checked_or_refused(body: Vec<u8>) {
        let _ = check(&body.into());
    }

    #[test]
    fn any_records_are_read_or_refused(records: Vec<u8>, number in 0u8..8, count in 0i32..100) {
        let plain = batch(&messages());
        let mut body = BytesMut::from(&packed(&plain, number, &records)[..]);
        body[57..61].copy_from_slice(&count.to_be_bytes());
        body[23..27].copy_from_slice(&(count - 1).to_be_bytes());
        rewrite(&mut body);
        let _ = KafkaCodec.decode(&entry(body.freeze()));
    }

    #[test]
    fn any_record_is_restored(
        key: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
        headers: Vec<(String, Option<Vec<u8>>)>,
        time in 0..i64::MAX / 2,
    ) {
        let mut message = Message {
            key: key.map(Bytes::from),
            payload: value.map(Bytes::from),
            ..Message::default()
        };
        for (name, value) in headers {
            let value = value.map_or(Value::Null, |octets| Value::from_octets(octets.into()));
            message.headers.push(name, value);
        }
        message.props.timestamp = Some(Millis(time));
        prop_assert_eq!(decoded(batch(&[message.clone()])), [message]);
    }
}
