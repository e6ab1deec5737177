use bytes::Bytes;
use proptest::prelude::*;
use prost::Message as _;
use standpipe_core::{
    id::{Millis, Offset, PartitionId},
    message::{Annotations, Decimal, Message, Props, Text, Value},
};

use super::{error::kind_to_code, *};
use crate::proto;

fn round_trip(message: &Message) -> Message {
    let wire = message_to_proto(message.clone()).encode_to_vec();
    message_from_proto(proto::Message::decode(wire.as_slice()).unwrap()).unwrap()
}

fn text() -> impl Strategy<Value = Text> {
    prop::collection::vec(any::<u8>(), 0..12).prop_map(|octets| Text::from(Bytes::from(octets)))
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i8>().prop_map(Value::I8),
        any::<u8>().prop_map(Value::U8),
        any::<i16>().prop_map(Value::I16),
        any::<u16>().prop_map(Value::U16),
        any::<i32>().prop_map(Value::I32),
        any::<u32>().prop_map(Value::U32),
        any::<i64>().prop_map(Value::I64),
        (-1e30f32..1e30).prop_map(Value::F32),
        (-1e300f64..1e300).prop_map(Value::F64),
        any::<(u8, i32)>().prop_map(|(scale, value)| Value::Decimal(Decimal { scale, value })),
        any::<i64>().prop_map(|at| Value::Timestamp(Millis(at))),
        text().prop_map(Value::Text),
        prop::collection::vec(any::<u8>(), 0..12).prop_map(|b| Value::Bytes(Bytes::from(b))),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::vec((text(), inner), 0..4).prop_map(Value::Table),
        ]
    })
}

proptest! {
    #[test]
    fn every_header_value_round_trips(headers in prop::collection::vec((text(), value()), 0..5)) {
        let message = Message { headers: headers.into_iter().collect(), ..Message::default() };
        prop_assert_eq!(round_trip(&message), message);
    }

    #[test]
    fn any_bytes_are_read_or_refused(octets: Vec<u8>) {
        if let Ok(message) = proto::Message::decode(octets.as_slice()) {
            let _ = message_from_proto(message);
        }
    }
}

#[test]
fn a_tombstone_and_an_empty_payload_stay_apart() {
    let tombstone = Message::default().with_key("k");
    let empty = Message::new("").with_key("");
    assert_eq!(round_trip(&tombstone), tombstone);
    assert_eq!(round_trip(&empty), empty);
}

#[test]
fn every_property_and_annotation_round_trips() {
    let some = |text: &str| Some(Text::from(text));
    let message = Message {
        props: Props {
            id: some("1"),
            correlation_id: some("2"),
            reply_to: some("3"),
            content_type: some("4"),
            content_encoding: Some(Text::from(Bytes::from_static(b"\xff"))),
            priority: Some(255),
            ttl: Some(u64::MAX),
            deliver_at: Some(Millis(5)),
            timestamp: Some(Millis(-6)),
            user_id: some("7"),
            app_id: some(""),
            kind: some("9"),
            durable: Some(false),
        },
        annotations: Annotations {
            exchange: some(""),
            routing_key: some("k"),
            topic: some("t"),
            partition: Some(PartitionId(0)),
            offset: Some(Offset(0)),
            attempts: Some(0),
            appended: Some(Millis(0)),
        },
        ..Message::new("x")
    };
    assert_eq!(round_trip(&message), message);
}

#[test]
fn a_number_that_does_not_fit_its_field_is_refused() {
    let value = proto::Value {
        kind: Some(proto::value::Kind::U8(256)),
    };
    let message = proto::Message {
        headers: vec![proto::Header {
            name: Bytes::from_static(b"n"),
            value: Some(value),
        }],
        ..proto::Message::default()
    };
    let error = message_from_proto(message).unwrap_err();
    assert!(error.message().contains("256"), "{error}");
}

#[test]
fn every_error_kind_has_a_code_of_its_own() {
    use standpipe_core::ErrorKind::*;
    let kinds = [
        Transient,
        Throttled,
        Disconnected,
        Unknown,
        Permanent,
        Unsupported,
        NotFound,
        Exists,
        Denied,
        Conflict,
        TooLarge,
        Invalid,
        Corrupt,
        Closed,
    ];
    for kind in kinds {
        assert_eq!(code_to_kind(kind_to_code(kind)), kind);
    }
}
