//! Direct reply-to, with lapin and in octets.

use futures::StreamExt;
use lapin::{
    BasicProperties, Channel, Confirmation, Consumer,
    options::{
        BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicPublishOptions,
        QueueDeclareOptions,
    },
    types::{FieldTable, ShortString},
};

use crate::harness::{Server, method, open_channel, opening, publish_to};

const NAME: &str = "amq.rabbitmq.reply-to";

async fn send(channel: &Channel, key: &str, body: &[u8], reply_to: Option<&str>) -> Confirmation {
    let properties = match reply_to {
        Some(to) => BasicProperties::default()
            .with_message_id("id".into())
            .with_reply_to(to.into()),
        None => BasicProperties::default(),
    };
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let sent = channel.basic_publish("".into(), key.into(), options, body, properties);
    sent.await.expect("no refusal").await.expect("an answer")
}

async fn look(channel: &Channel, queue: &str) -> Result<u32, lapin::Error> {
    let options = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    let found = channel.queue_declare(queue.into(), options, FieldTable::default());
    found.await.map(|queue| queue.consumer_count())
}

/// A consumer of replies, and the address that a request of its channel carried.
async fn ask(asker: &Channel, answerer: &Channel) -> (Consumer, ShortString) {
    let declared = asker.queue_declare(
        "q".into(),
        QueueDeclareOptions::default(),
        FieldTable::default(),
    );
    declared.await.expect("no refusal");
    let options = BasicConsumeOptions {
        no_ack: true,
        ..BasicConsumeOptions::default()
    };
    let replies = asker.basic_consume(NAME.into(), "r".into(), options, FieldTable::default());
    let replies = replies.await.expect("no refusal");
    send(asker, "q", b"request", Some(NAME)).await;
    let request = answerer.basic_get("q".into(), BasicGetOptions { no_ack: true });
    let request = request.await.expect("no refusal").expect("the request");
    let (properties, data) = (&request.properties, &request.data);
    assert_eq!(data, b"request");
    assert_eq!(properties.message_id(), &Some("id".into()));
    let address = properties.reply_to().clone().expect("an address");
    assert!(address.as_str().starts_with("amq.rabbitmq.reply-to."));
    (replies, address)
}

#[tokio::test]
async fn replies_go_to_the_channel_that_asked_and_are_no_queue() {
    let server = Server::start().await;
    let (_one, asker) = server.channel().await;
    let (_two, answerer) = server.channel().await;
    let (mut replies, address) = ask(&asker, &answerer).await;
    assert_eq!(look(&answerer, address.as_str()).await.unwrap(), 1);
    for body in [b"1", b"2"] {
        // RabbitMQ has it returned as well: no queue took it.
        let confirm = send(&answerer, address.as_str(), body, None).await;
        assert!(matches!(confirm, Confirmation::Ack(Some(_))), "{confirm:?}");
        let reply = replies.next().await.unwrap().unwrap();
        assert_eq!(reply.data, body);
        assert_eq!(reply.routing_key.as_str(), address.as_str());
    }
}

#[tokio::test]
async fn a_reply_to_who_has_left_is_dropped() {
    let server = Server::start().await;
    let (_one, asker) = server.channel().await;
    let (_two, answerer) = server.channel().await;
    let (_, address) = ask(&asker, &answerer).await;
    let cancelled = asker.basic_cancel("r".into(), BasicCancelOptions::default());
    cancelled.await.expect("no refusal");
    send(&answerer, address.as_str(), b"late", None).await;
    let (_, other) = ask(&asker, &answerer).await;
    assert_ne!(other.as_str(), address.as_str());
    asker.close(200, "bye".into()).await.expect("no refusal");
    send(&answerer, other.as_str(), b"late", None).await;
    let missing = look(&answerer, other.as_str()).await.unwrap_err();
    assert!(missing.to_string().contains("NOT_FOUND"), "{missing}");
}

#[tokio::test]
async fn what_cannot_work_is_406() {
    let consume = |flags| {
        let name = [&[21], NAME.as_bytes()].concat();
        let arguments = [&[0, 0], &*name, &[0, flags, 0, 0, 0, 0]].concat();
        method(1, 60, 20, &arguments)
    };
    let request = publish_to(b"\x01q", &[&[2, 0, 21], NAME.as_bytes()].concat(), b"x");
    for (what, octets) in [
        ("with acks", consume(0)),
        ("twice", [consume(2), consume(2)].concat()),
        ("a request without a consumer", request),
    ] {
        let server = Server::start().await;
        let mut client = server.raw().await;
        client
            .send(&[opening(), open_channel(), octets].concat())
            .await;
        let close = client.until(&[20, 40]).await;
        assert_eq!(close[..2], 406u16.to_be_bytes(), "{what}");
    }
}
