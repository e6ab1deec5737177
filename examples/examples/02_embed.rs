//! A whole broker inside a program: RabbitMQ's clients connect to it, and the program itself
//! publishes and consumes without a wire in between.

use standpipe::{
    Message, Result, Server,
    config::Endpoint,
    driver::{OpenOptions, ReceiveLimit, Settlement},
    server::Protocol,
};

#[tokio::main]
async fn main() -> Result<()> {
    let server = Server::builder()
        .listen(Protocol::Amqp, Endpoint::loopback(0))
        .start()
        .await?;
    if let Some(address) = server.address(Protocol::Amqp) {
        println!("AMQP on {address}");
    }

    let mut producer = server.registry().producer("standpipe:///greetings").await?;
    for result in producer.send(vec![Message::new("hello")]).await {
        result?;
    }

    let options = OpenOptions::drain();
    let source = "standpipe:///greetings";
    let (mut consumer, settler) = server.registry().consumer(source, &options).await?;
    while let Some(batch) = consumer.receive(ReceiveLimit::messages(100)).await? {
        for incoming in batch {
            let payload = incoming.message.payload.unwrap_or_default();
            println!("got {}", String::from_utf8_lossy(&payload));
            settler
                .settle(vec![(incoming.receipt, Settlement::Ack)])
                .await?;
        }
    }
    consumer.close().await?;
    producer.close().await?;
    server.shutdown().await
}
