//! A whole broker inside a program, for AMQP's clients and, without a wire, for the program itself.
use standpipe::{Message, Result, Server, config::Endpoint, driver::*, server::Protocol};
#[tokio::main]
async fn main() -> Result<()> {
    let server = Server::builder().listen(Protocol::Amqp, Endpoint::loopback(0));
    let (server, address) = (server.start().await?, "standpipe:///greetings");
    println!("AMQP on {:?}", server.address(Protocol::Amqp));
    let registry = server.registry();
    let mut producer = registry.producer(address).await?;
    producer.send(vec![Message::new("hello")]).await.remove(0)?;
    let (mut consumer, settler) = registry.consumer(address, &OpenOptions::drain()).await?;
    while let Some(batch) = consumer.receive(ReceiveLimit::messages(100)).await? {
        for got in batch {
            let payload = got.message.payload.unwrap_or_default();
            println!("got {}", payload.escape_ascii());
            settler.settle(vec![(got.receipt, Settlement::Ack)]).await?;
        }
    }
    server.shutdown().await
}
