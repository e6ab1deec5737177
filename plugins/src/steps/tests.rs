//! What the steps do to headers and payloads.

use serde_json::json;
use standpipe_core::{
    driver::Outcome,
    message::{Message, Value},
};

use crate::{Settings, Step};

async fn apply(step: serde_json::Value, message: Message) -> Outcome {
    let step: Step = serde_json::from_value(step).unwrap();
    let transform = step.build(Settings::default()).unwrap();
    transform.apply(vec![message]).await.unwrap().remove(0)
}

async fn one(step: serde_json::Value, message: Message) -> Message {
    match apply(step, message).await {
        Outcome::One(message) => message,
        other => panic!("{other:?}"),
    }
}

async fn payload(step: serde_json::Value, payload: &'static str) -> String {
    let message = one(step, Message::new(payload)).await;
    String::from_utf8(message.payload.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn header_steps_drop_set_and_rename() {
    let message = Message::new("x")
        .with_header("a", "1")
        .with_header("b", "2")
        .with_header("a", "3");
    let dropped = one(json!({"drop": ["a", "nosuch"]}), message.clone()).await;
    assert_eq!(dropped, Message::new("x").with_header("b", "2"));
    let renamed = one(json!({"rename": {"a": "c"}}), message.clone()).await;
    let names: Vec<_> = renamed.headers.iter().map(|(n, _)| n.to_string()).collect();
    assert_eq!(names, ["c", "b", "c"]);
    let set = one(
        json!({"set": {"a": "9", "n": 5, "t": {"u8": "7"}, "z": null}}),
        message,
    )
    .await;
    assert_eq!(set.headers.get("a"), Some(&"9".into()));
    assert_eq!(set.headers.get("n"), Some(&Value::I64(5)));
    assert_eq!(set.headers.get("t"), Some(&Value::U8(7)));
    assert_eq!(set.headers.get("z"), Some(&Value::Null));
    assert_eq!(set.headers.len(), 5);
}

#[tokio::test]
async fn payload_steps_leave_the_other_fields_as_they_were_written() {
    const FLIGHT: &str = r#"{"a":1,"big":12345678901234567890123,"f":1.0,"in":{"x":[1, 2],"y":2}}"#;
    assert_eq!(
        payload(
            json!({"drop": ["payload.a", "payload.in.y", "payload.no.such"]}),
            FLIGHT
        )
        .await,
        r#"{"big":12345678901234567890123,"f":1.0,"in":{"x":[1, 2]}}"#
    );
    assert_eq!(
        payload(json!({"rename": {"payload.a": "payload.in.a"}}), FLIGHT).await,
        r#"{"big":12345678901234567890123,"f":1.0,"in":{"x":[1, 2],"y":2,"a":1}}"#
    );
    assert_eq!(
        payload(
            json!({"set": {"payload.a": {"k": 1.5}, "payload.n.m": true}}),
            r#"{"a":1}"#
        )
        .await,
        r#"{"a":{"k":1.5},"n":{"m":true}}"#
    );
}

#[tokio::test]
async fn a_payload_that_is_no_object_fails_by_itself_and_a_tombstone_passes() {
    let step = json!({"set": {"payload.a": 1}});
    for text in ["x", "[1]", "", "{\"a\":"] {
        let outcome = apply(step.clone(), Message::new(text)).await;
        assert!(matches!(outcome, Outcome::Failed(_)), "{text}: {outcome:?}");
    }
    let tombstone = Message::default().with_key("k");
    assert_eq!(one(step, tombstone.clone()).await, tombstone);
}

#[tokio::test]
async fn a_deeply_nested_payload_takes_no_stack() {
    let deep = format!(
        "{{\"a\":1,\"d\":{}{}}}",
        "[".repeat(200_000),
        "]".repeat(200_000)
    );
    let message = one(json!({"drop": ["payload.a"]}), Message::new(deep.clone())).await;
    assert_eq!(
        message.payload.unwrap().len(),
        deep.len() - "\"a\":1,".len()
    );
}
