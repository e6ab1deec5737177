//! Further routing keys in the headers `CC` and `BCC`.

use lapin::{
    BasicProperties, Channel, Connection,
    options::{BasicGetOptions, BasicPublishOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldArray, FieldTable},
};

use crate::harness::Server;

async fn channel(server: &Server) -> (Connection, Channel) {
    let (connection, channel) = server.channel().await;
    for queue in ["a", "b", "c"] {
        let options = QueueDeclareOptions::default();
        let declared = channel.queue_declare(queue.into(), options, FieldTable::default());
        declared.await.expect("no refusal");
    }
    (connection, channel)
}

fn keys(keys: &[&str]) -> AMQPValue {
    let keys = keys.iter().map(|key| AMQPValue::LongString((*key).into()));
    AMQPValue::FieldArray(FieldArray::from(keys.collect::<Vec<_>>()))
}

async fn publish(channel: &Channel, exchange: &str, headers: FieldTable) -> lapin::Result<()> {
    let properties = BasicProperties::default().with_headers(headers);
    let options = BasicPublishOptions::default();
    let sent = channel.basic_publish(exchange.into(), "a".into(), options, b"x", properties);
    sent.await?.await.map(drop)
}

/// The headers of each message that a queue holds.
async fn take(channel: &Channel, queue: &str) -> Vec<FieldTable> {
    let mut taken = Vec::new();
    loop {
        let got = channel.basic_get(queue.into(), BasicGetOptions { no_ack: true });
        let Some(got) = got.await.expect("no refusal") else {
            return taken;
        };
        assert_eq!(got.data, b"x");
        assert_eq!(got.routing_key.as_str(), "a");
        taken.push(got.properties.headers().clone().unwrap_or_default());
    }
}

#[tokio::test]
async fn a_message_goes_once_to_each_queue_and_hides_bcc() {
    let server = Server::start().await;
    let (_connection, channel) = channel(&server).await;
    for queue in ["a", "b", "c"] {
        let options = QueueBindOptions::default();
        let bound = channel.queue_bind(
            queue.into(),
            "amq.direct".into(),
            queue.into(),
            options,
            FieldTable::default(),
        );
        bound.await.expect("no refusal");
    }
    for exchange in ["", "amq.direct"] {
        let mut headers = FieldTable::default();
        headers.insert("CC".into(), keys(&["b", "a", "nobody"]));
        headers.insert("BCC".into(), keys(&["c", "b"]));
        headers.insert("other".into(), AMQPValue::Boolean(true));
        publish(&channel, exchange, headers).await.expect("an ack");
        let mut seen = FieldTable::default();
        seen.insert("CC".into(), keys(&["b", "a", "nobody"]));
        seen.insert("other".into(), AMQPValue::Boolean(true));
        for queue in ["a", "b", "c"] {
            assert_eq!(take(&channel, queue).await, std::slice::from_ref(&seen));
        }
    }
}

#[tokio::test]
async fn what_is_no_list_or_too_long_is_406() {
    let many = vec!["b"; 1025];
    for (name, value) in [
        ("CC", AMQPValue::LongString("b".into())),
        ("BCC", AMQPValue::Boolean(true)),
        ("CC", keys(&many)),
    ] {
        let server = Server::start().await;
        let (_connection, channel) = channel(&server).await;
        let mut headers = FieldTable::default();
        headers.insert(name.into(), value);
        let refused = publish(&channel, "", headers).await;
        let refused = refused.expect_err("a refusal").to_string();
        assert!(
            refused.contains("PRECONDITION_FAILED") && refused.contains("CC"),
            "{refused}"
        );
    }
}

/// Clients in Java, Go and C# write signed seconds; zero is Go's year 1.
#[tokio::test]
async fn times_before_1970_pass_and_stay_times_where_bcc_is_taken_out() {
    let server = Server::start().await;
    let (_connection, channel) = channel(&server).await;
    let zero = -62_135_596_800;
    for seconds in [-1, zero, i64::MAX] {
        let time = AMQPValue::Timestamp(seconds.cast_unsigned());
        let mut headers = FieldTable::default();
        headers.insert("at".into(), time.clone());
        let sent = publish(&channel, "", headers.clone());
        sent.await.expect("an ack");
        assert_eq!(take(&channel, "a").await, std::slice::from_ref(&headers));
        headers.insert("BCC".into(), keys(&["b"]));
        publish(&channel, "", headers).await.expect("an ack");
        // Beyond our milliseconds it is a number once the table is written anew.
        let seen = match seconds {
            i64::MAX => AMQPValue::LongLongInt(seconds),
            _ => time,
        };
        let mut headers = FieldTable::default();
        headers.insert("at".into(), seen);
        for queue in ["a", "b"] {
            assert_eq!(take(&channel, queue).await, std::slice::from_ref(&headers));
        }
    }
}
