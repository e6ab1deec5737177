//! What is refused of a batch's records, and batches that are compressed otherwise.

use super::{
    super::{Packing, Record, Survey, repack, times},
    *,
};

const EACH: [Packing; 5] = [
    Packing::None,
    Packing::Gzip(-1),
    Packing::Snappy,
    Packing::Lz4,
    Packing::Zstd(3),
];

fn checked(body: Bytes) -> Draft {
    check(&body).unwrap()
}

/// The messages' batch, in one of the compressions.
fn repacked(packing: Packing) -> Draft {
    let draft = checked(batch(&messages()));
    let survey = Survey::of(&draft).unwrap();
    repack(draft, &survey, packing).unwrap()
}

fn refused(body: Bytes) -> String {
    match Survey::of(&checked(body)) {
        Err(BadBatch::Invalid(message)) => message,
        other => panic!("{other:?}"),
    }
}

fn miscounted(body: &Bytes, count: i32) -> Bytes {
    let mut changed = BytesMut::from(&body[..]);
    changed[57..61].copy_from_slice(&count.to_be_bytes());
    changed[23..27].copy_from_slice(&(count - 1).to_be_bytes());
    rewrite(&mut changed);
    changed.freeze()
}

#[test]
fn a_batch_is_brought_from_any_compression_into_any() {
    for from in EACH {
        for to in EACH {
            let draft = repacked(from);
            let survey = Survey::of(&draft).unwrap();
            let draft = repack(draft, &survey, to).unwrap();
            let again = checked(draft.body.clone());
            assert_eq!((again.span, again.created), (draft.span, draft.created));
            assert_eq!(decoded(draft.body), messages(), "{from:?} to {to:?}");
        }
    }
}

#[test]
fn what_has_the_compression_already_stays_octet_for_octet() {
    let draft = repacked(Packing::Zstd(1));
    let survey = Survey::of(&draft).unwrap();
    let again = repack(draft.clone(), &survey, Packing::Zstd(9)).unwrap();
    assert_eq!(again.body, draft.body);
}

#[test]
fn what_does_not_decompress_is_refused() {
    let plain = batch(&messages());
    for packing in EACH {
        let whole = repacked(packing).body;
        assert!(Survey::of(&checked(whole.clone())).is_ok(), "{packing:?}");
        let records = whole.slice(LENGTH..);
        // The mark that ends lz4 is four zeros, and nothing is missing without it.
        let needed = records.len() - if packing == Packing::Lz4 { 4 } else { 0 };
        for end in 0..needed {
            let cut = packed(&plain, whole[22], &records[..end]);
            let is_read = check(&cut).is_ok_and(|draft| Survey::of(&draft).is_ok());
            assert!(!is_read, "{packing:?} cut at {end} of {}", records.len());
        }
    }
    for number in 1..5 {
        let garbage = packed(&plain, number, &[b'x'; 99]);
        assert!(refused(garbage).contains("does not decompress"));
    }
}

#[test]
fn more_or_fewer_records_than_announced_are_refused() {
    for packing in EACH {
        let body = repacked(packing).body;
        assert!(refused(miscounted(&body, 2)).contains("follow the last record"));
        assert!(refused(miscounted(&body, 4)).contains("record 3 of 4"));
    }
}

#[test]
fn records_at_other_offsets_are_refused() {
    let one = batch(&messages()[..1]);
    let twice = [&one[LENGTH..], &one[LENGTH..]].concat();
    let body = miscounted(&packed(&one, 0, &twice), 2);
    assert!(refused(body).contains("record 1 of 2"));
}

#[test]
fn what_comes_out_of_a_bomb_is_more_than_any_reader_takes() {
    let zeros = vec![0u8; 65 << 20];
    let bomb = packed(
        &batch(&messages()),
        4,
        &zstd::encode_all(&zeros[..], 3).unwrap(),
    );
    let refused = Survey::of(&checked(bomb));
    assert!(matches!(refused, Err(BadBatch::TooLarge(_))), "{refused:?}");
}

/// As many records as that, all alike.
fn batch_of(count: u64, record: &Record) -> Bytes {
    let mut builder = BatchBuilder::new(Offset(0), 0);
    for offset in 0..count {
        builder.push(Offset(offset), Millis(0), record.clone());
    }
    let mut out = BytesMut::new();
    builder.finish(Offset(count), &mut out);
    out.freeze()
}

#[test]
fn records_and_headers_count_more_than_their_octets() {
    let headers = vec![(Bytes::new(), None); 2_100_000];
    let empty = Record::default();
    let full = Record {
        headers,
        ..Record::default()
    };
    for (count, record) in [(500_000, empty), (1, full)] {
        let body = batch_of(count, &record);
        let refused = Survey::of(&checked(body.clone()));
        assert!(matches!(refused, Err(BadBatch::TooLarge(_))), "{count}");
        assert!(KafkaCodec.decode(&entry(body)).is_err(), "{count}");
    }
}

#[test]
fn small_records_fill_the_batches_that_producers_make() {
    for (octets, value) in [(1 << 20, 10), (16 << 20, 100)] {
        let record = Record {
            value: Some(vec![0; value].into()),
            ..Record::default()
        };
        let count = octets / value as u64;
        let draft = checked(batch_of(count, &record));
        assert!(Survey::of(&draft).is_ok(), "{count} of {value}");
    }
}

#[test]
fn times_are_told_without_the_messages() {
    let body = batch(&messages());
    let told = decoded(body.clone());
    let told = told.iter().map(|message| message.props.timestamp);
    assert_eq!(times(&body).unwrap(), told.collect::<Vec<_>>());
}

#[test]
fn records_without_a_key_are_found_by_their_places() {
    let keyed = Message::new("x").with_key("k");
    let messages = [Message::new("a"), keyed.clone(), Message::new("b"), keyed];
    let survey = Survey::of(&checked(batch(&messages))).unwrap();
    assert_eq!(survey.keyless().collect::<Vec<_>>(), [0, 2]);
}

proptest! {
    #[test]
    fn what_is_surveyed_is_decoded(records: Vec<u8>, number in 0u8..5, count in 1i32..4) {
        let body = miscounted(&packed(&batch(&messages()), number, &records), count);
        if let Ok(draft) = check(&body) && Survey::of(&draft).is_ok() {
            prop_assert!(KafkaCodec.decode(&entry(body)).is_ok());
        }
    }
}
