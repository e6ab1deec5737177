//! The envelope's promises: exact both ways, strict on input, bounded.

use bytes::Bytes;
use proptest::{collection::vec, option, prelude::*};

use super::{decode, decode_with_seq, encode, encode_with_seq};
use crate::{
    id::{Millis, Offset, PartitionId},
    message::{Annotations, Decimal, Message, Props, Text, Value},
    native::put_message,
};

fn line(message: &Message) -> String {
    let mut out = Vec::new();
    encode(message, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn octets() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        vec(any::<u8>(), 0..24).prop_map(Bytes::from),
        ".{0,12}".prop_map(|text: String| Bytes::from(text)),
    ]
}

fn text() -> impl Strategy<Value = Text> {
    octets().prop_map(Text::from)
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i8>().prop_map(Value::I8),
        any::<u8>().prop_map(Value::U8),
        any::<i16>().prop_map(Value::I16),
        any::<u16>().prop_map(Value::U16),
        any::<i32>().prop_map(Value::I32),
        any::<u32>().prop_map(Value::U32),
        any::<i64>().prop_map(Value::I64),
        any::<u32>().prop_map(|bits| Value::F32(f32::from_bits(bits))),
        any::<u64>().prop_map(|bits| Value::F64(f64::from_bits(bits))),
        (any::<u8>(), any::<i32>())
            .prop_map(|(scale, value)| Value::Decimal(Decimal { scale, value })),
        any::<i64>().prop_map(|at| Value::Timestamp(Millis(at))),
        (-99_999_999_999_999i64..99_999_999_999_999).prop_map(|at| Value::Timestamp(Millis(at))),
        text().prop_map(Value::Text),
        octets().prop_map(Value::Bytes),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(6, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::List),
            vec((text(), inner), 0..4).prop_map(Value::Table),
        ]
    })
}

prop_compose! {
    fn props()(
        texts in proptest::array::uniform8(option::of(text())),
        priority in any::<Option<u8>>(),
        ttl in any::<Option<u64>>(),
        deliver_at in any::<Option<i64>>(),
        timestamp in any::<Option<i64>>(),
        durable in any::<Option<bool>>(),
    ) -> Props {
        let [id, correlation_id, reply_to, content_type, content_encoding, user_id, app_id, kind] =
            texts;
        Props {
            id, correlation_id, reply_to, content_type, content_encoding, user_id, app_id, kind,
            priority, ttl, durable,
            deliver_at: deliver_at.map(Millis),
            timestamp: timestamp.map(Millis),
        }
    }
}

prop_compose! {
    fn message()(
        key in option::of(octets()),
        payload in option::of(octets()),
        headers in vec((text(), value()), 0..5),
        props in props(),
        offset in any::<Option<u64>>(),
    ) -> Message {
        Message {
            key,
            payload,
            headers: headers.into_iter().collect(),
            props,
            annotations: Annotations { offset: offset.map(Offset), ..Annotations::default() },
        }
    }
}

/// The message's bits: a NaN equals itself here.
fn bits(message: &Message) -> Vec<u8> {
    let mut out = bytes::BytesMut::new();
    put_message(&mut out, message);
    out.to_vec()
}

proptest! {
    #[test]
    fn any_message_round_trips_exactly(message in message()) {
        let line = line(&message);
        prop_assert!(line.ends_with('\n') && line.matches('\n').count() == 1);
        let back = decode(line.as_bytes()).unwrap();
        prop_assert_eq!(bits(&back), bits(&message));
        prop_assert_eq!(back.annotations, Annotations::default());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..64)) {
        drop(decode(&bytes));
    }

    /// `jq` reads numbers as doubles; nothing of ours may be one.
    #[test]
    fn no_envelope_has_a_bare_number(message in message()) {
        fn bare(json: &serde_json::Value) -> bool {
            match json {
                serde_json::Value::Number(_) => true,
                serde_json::Value::Array(items) => items.iter().any(bare),
                serde_json::Value::Object(map) => map.values().any(bare),
                _ => false,
            }
        }
        prop_assert!(!bare(&serde_json::from_str(&line(&message)).unwrap()));
    }
}

#[test]
fn the_line_is_the_one_that_the_design_shows() {
    let mut message = Message::new("x")
        .with_key(Bytes::from_static(b"\xff"))
        .with_header("a", 5i64)
        .with_header("a", Value::Null)
        .with_header("f", Value::F64(1.0))
        .with_header("t", Value::Timestamp(Millis(1_357_016_400_000)))
        .with_header("l", Value::List(vec![Value::Bool(true), "s".into()]))
        .with_header("m", Value::Table(vec![("k".into(), Value::U8(1))]))
        .with_header(
            "d",
            Value::Decimal(Decimal {
                scale: 2,
                value: -5,
            }),
        );
    message.props.priority = Some(5);
    message.props.kind = Some("k".into());
    message.annotations.topic = Some("t".into());
    message.annotations.partition = Some(PartitionId(0));
    message.annotations.offset = Some(Offset(7));
    let expected = concat!(
        r#"{"key":{"b64":"/w=="},"payload":"x","headers":[["a",{"i64":"5"}],["a",null],"#,
        r#"["f",{"f64":"1.0"}],["t",{"ts":"2013-01-01T05:00:00Z"}],"#,
        r#"["l",{"list":[true,"s"]}],["m",{"table":[["k",{"u8":"1"}]]}],"#,
        r#"["d",{"decimal":"-0.05"}]],"props":{"type":"k","priority":{"u8":"5"}},"#,
        r#""meta":{"topic":"t","partition":{"u32":"0"},"offset":{"u64":"7"}}}"#,
        "\n"
    );
    assert_eq!(line(&message), expected);
}

#[test]
fn absent_and_empty_stay_apart() {
    assert_eq!(line(&Message::default()), "{}\n");
    assert_eq!(line(&Message::new("")), "{\"payload\":\"\"}\n");
    assert_eq!(decode(b"{}").unwrap().payload, None);
    assert_eq!(decode(br#"{"payload":null}"#).unwrap().payload, None);
    assert_eq!(
        decode(br#"{"payload":""}"#).unwrap().payload,
        Some(Bytes::new())
    );
}

#[test]
fn text_that_is_not_utf8_and_bytes_that_are_have_forms_of_their_own() {
    let message = Message::default()
        .with_header("t", Value::Text(Text::from_bytes(&b"\xff"[..])))
        .with_header("b", Value::Bytes(Bytes::from_static(b"abc")));
    let expected = "{\"headers\":[[\"t\",{\"text\":\"/w==\"}],[\"b\",{\"b64\":\"YWJj\"}]]}\n";
    assert_eq!(line(&message), expected);
    assert_eq!(decode(expected.as_bytes()).unwrap(), message);
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    for (text, expected) in [
        (
            r#"{"payload":"x","headrs":[]}"#,
            "unknown field `headrs`; known: key",
        ),
        (r#"{"payload":"x","headrs":[]}"#, "column 23"),
        (r#"{"payload":"x","seq":"1"}"#, "unknown field `seq`"),
        (r#"{"payload":5}"#, "invalid type: integer `5`"),
        (r#"{"headers":[["a",1.5]]}"#, "typed text such as"),
        (r#"{"headers":[["a",{"i64":5}]]}"#, "expected a string"),
        (r#"{"headers":[["a",{"i8":"128"}]]}"#, "`128` is no i8"),
        (
            r#"{"headers":[["a",{"u128":"5"}]]}"#,
            "unknown type `u128`; known: b64",
        ),
        (r#"{"headers":[["a",{"i8":"1","u8":"1"}]]}"#, "one key"),
        (r#"{"headers":[["a"]]}"#, "no value"),
        (r#"{"headers":[["a","b","c"]]}"#, "third"),
        (r#"{"headers":{"a":"b"}}"#, "array of [name, value] pairs"),
        (r#"{"payload":{"b64":"!"}}"#, "not base64"),
        (r#"{"payload":"a","payload":"b"}"#, "given twice"),
        (
            r#"{"props":{"colour":"x"}}"#,
            "unknown property `colour`; known: id",
        ),
        (r#"{"props":{"priority":{"i64":"256"}}}"#, "0 to 255"),
        (r#"{"payload":"x"} {}"#, "trailing"),
        (r#"{"payload":"x""#, "EOF"),
        (r#"[1]"#, "an envelope"),
    ] {
        let error = decode(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn meta_is_ignored_whatever_it_holds() {
    let deep = format!("{{\"meta\":{}1{}}}", "[".repeat(50_000), "]".repeat(50_000));
    assert_eq!(decode(deep.as_bytes()).unwrap(), Message::default());
}

#[test]
fn values_nest_64_levels_and_no_more() {
    let nested = |levels| {
        let deep = (0..levels).fold(Value::Null, |inner, level| match level % 2 {
            0 => Value::List(vec![inner]),
            _ => Value::Table(vec![("k".into(), inner)]),
        });
        Message::default().with_header("deep", deep)
    };
    let deepest = nested(64);
    assert_eq!(decode(line(&deepest).as_bytes()).unwrap(), deepest);
    let mut out = b"before".to_vec();
    let error = encode(&nested(65), &mut out).unwrap_err().to_string();
    assert!(error.contains("64 levels"), "{error}");
    assert_eq!(out, b"before");
    for open in ["{\"list\":[", "{\"table\":[[\"k\","] {
        let bomb = format!("{{\"headers\":[[\"a\",{}", open.repeat(100_000));
        let error = decode(bomb.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("64 levels"), "{error}");
    }
}

#[test]
fn a_filter_s_envelope_carries_its_seq() {
    let mut out = Vec::new();
    encode_with_seq("17", &Message::new("x"), &mut out).unwrap();
    assert_eq!(out, b"{\"seq\":\"17\",\"payload\":\"x\"}\n");
    let (seq, message) = decode_with_seq(&out).unwrap();
    assert_eq!((seq.as_deref(), message), (Some("17"), Message::new("x")));
}
