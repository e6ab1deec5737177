//! What lapin, a client of RabbitMQ, sees of the frontend.

use crate::harness::Server;
use futures::StreamExt;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicGetOptions, BasicNackOptions,
        BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions,
    },
    types::{AMQPValue, FieldTable},
};
use standpipe_core::broker::DEFAULT_NAMESPACE;

async fn connect(server: &Server) -> Connection {
    let url = format!("amqp://guest:guest@{}/%2f", server.address);
    Connection::connect(&url, ConnectionProperties::default())
        .await
        .expect("no refusal")
}

async fn declare(channel: &Channel, queue: &str) {
    let options = QueueDeclareOptions::default();
    channel
        .queue_declare(queue.into(), options, FieldTable::default())
        .await
        .expect("no refusal");
}

/// Publishes in confirm mode; `true` where the broker acked.
async fn publish(channel: &Channel, queue: &str, body: &[u8], properties: BasicProperties) -> bool {
    let options = BasicPublishOptions::default();
    let confirm = channel
        .basic_publish("".into(), queue.into(), options, body, properties)
        .await
        .expect("no refusal");
    confirm.await.expect("no refusal").is_ack()
}

async fn get(channel: &Channel, queue: &str) -> Option<(Vec<u8>, bool, u64)> {
    let message = channel
        .basic_get(queue.into(), BasicGetOptions::default())
        .await
        .expect("an answer")?;
    let delivery = message.delivery;
    Some((delivery.data, delivery.redelivered, delivery.delivery_tag))
}

async fn confirming(connection: &Connection) -> Channel {
    let channel = connection.create_channel().await.expect("no refusal");
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .expect("no refusal");
    channel
}

#[tokio::test]
async fn a_confirmed_message_comes_back_with_its_properties_and_headers() {
    let server = Server::start().await;
    let connection = connect(&server).await;
    let channel = confirming(&connection).await;
    declare(&channel, "q").await;
    let mut headers = FieldTable::default();
    headers.insert("n".into(), AMQPValue::LongInt(5));
    let sent = BasicProperties::default()
        .with_headers(headers)
        .with_message_id("id".into())
        .with_delivery_mode(2);
    assert!(publish(&channel, "q", b"body", sent.clone()).await);
    let options = BasicConsumeOptions::default();
    let consumer = channel.basic_consume("q".into(), "c".into(), options, FieldTable::default());
    let delivery = consumer.await.unwrap().next().await.unwrap().unwrap();
    assert_eq!(delivery.data, b"body");
    assert_eq!(delivery.properties, sent);
    assert_eq!(
        (delivery.routing_key.as_str(), delivery.redelivered),
        ("q", false)
    );
    delivery.ack(BasicAckOptions::default()).await.unwrap();
}

#[tokio::test]
async fn nack_puts_a_message_back_in_its_place_as_redelivered() {
    let server = Server::start().await;
    let connection = connect(&server).await;
    let channel = confirming(&connection).await;
    declare(&channel, "q").await;
    for body in [b"a", b"b"] {
        assert!(publish(&channel, "q", body, BasicProperties::default()).await);
    }
    let (_, _, tag) = get(&channel, "q").await.unwrap();
    let requeue = BasicNackOptions {
        multiple: false,
        requeue: true,
    };
    channel.basic_nack(tag, requeue).await.unwrap();
    let (body, redelivered, _) = get(&channel, "q").await.unwrap();
    assert_eq!((body.as_slice(), redelivered), (&b"a"[..], true));
    let (body, redelivered, _) = get(&channel, "q").await.unwrap();
    assert_eq!((body.as_slice(), redelivered), (&b"b"[..], false));
}

#[tokio::test]
async fn closing_a_channel_returns_what_it_holds_and_an_ack_is_final() {
    let server = Server::start().await;
    let connection = connect(&server).await;
    let channel = confirming(&connection).await;
    declare(&channel, "q").await;
    for body in [b"a", b"b"] {
        assert!(publish(&channel, "q", body, BasicProperties::default()).await);
    }
    let (_, _, first) = get(&channel, "q").await.unwrap();
    channel
        .basic_ack(first, BasicAckOptions::default())
        .await
        .unwrap();
    get(&channel, "q").await.unwrap();
    channel.close(200, "bye".into()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    assert_eq!(get(&channel, "q").await.unwrap().0, b"b");
    assert!(get(&channel, "q").await.is_none());
}

#[tokio::test]
async fn deleting_a_queue_ends_its_consumers() {
    let server = Server::start().await;
    let connection = connect(&server).await;
    let channel = connection.create_channel().await.unwrap();
    declare(&channel, "q").await;
    let options = BasicConsumeOptions::default();
    let consumer = channel.basic_consume("q".into(), "c".into(), options, FieldTable::default());
    let mut consumer = consumer.await.unwrap();
    let other = connection.create_channel().await.unwrap();
    other
        .queue_delete("q".into(), QueueDeleteOptions::default())
        .await
        .unwrap();
    assert!(
        consumer
            .next()
            .await
            .is_none_or(|delivery| delivery.is_err())
    );
}

#[tokio::test]
async fn a_queue_says_what_its_topic_keeps_in_the_words_of_every_protocol() {
    let server = Server::start().await;
    let connection = connect(&server).await;
    let declare = async |queue: &'static str, word: &'static str| {
        let channel = connection.create_channel().await.unwrap();
        let mut arguments = FieldTable::default();
        let word = AMQPValue::LongString(word.into());
        arguments.insert("x-standpipe-retention".into(), word);
        let options = QueueDeclareOptions::default();
        let declared = channel.queue_declare(queue.into(), options, arguments);
        declared
            .await
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    for (queue, word) in [
        ("a", "settled"),
        ("b", "7d"),
        ("c", "10GB"),
        ("d", "7d,10GB"),
        ("f", "compact"),
    ] {
        declare(queue, word).await.unwrap();
        let topic = server.broker.topic(DEFAULT_NAMESPACE, queue).unwrap();
        assert_eq!(topic.retention().to_string(), word);
    }
    for word in ["compact,soon", "soon"] {
        let refused = declare("e", word).await.unwrap_err();
        assert!(
            refused.contains("PRECONDITION") && refused.contains(word),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn an_exclusive_queue_goes_with_its_connection() {
    let server = Server::start().await;
    let connection = connect(&server).await;
    let channel = connection.create_channel().await.unwrap();
    let options = QueueDeclareOptions {
        exclusive: true,
        ..QueueDeclareOptions::default()
    };
    channel
        .queue_declare("mine".into(), options, FieldTable::default())
        .await
        .unwrap();
    assert!(server.broker.topic(DEFAULT_NAMESPACE, "mine").is_some());
    // The answer to close comes after the connection's things are gone.
    connection.close(200, "bye".into()).await.unwrap();
    assert!(server.broker.topic(DEFAULT_NAMESPACE, "mine").is_none());
}
