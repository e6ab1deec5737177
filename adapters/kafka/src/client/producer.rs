//! Producing, all of a batch under way at once.

use std::collections::VecDeque;

use async_trait::async_trait;
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer as _, PurgeConfig},
    types::RDKafkaErrorCode,
};
use standpipe_core::{
    Error, ErrorKind, Result, address::Address, driver::Producer, message::Message,
};

use super::{
    assignment::partitions,
    failure::{failure, undelivered},
    limit::message_limit,
    reach::reach,
    record::{Outgoing, outgoing},
    settings::{ANSWER, common, producer},
};

/// An idempotent producer for one topic.
pub(super) struct KafkaProducer {
    /// Gone once closed.
    client: Option<FutureProducer>,
    topic: String,
    /// What made this client useless, once something has.
    broken: Option<Error>,
}

/// A message's way to its result.
enum Sent {
    UnderWay(DeliveryFuture),
    Known(Result<()>),
}

impl KafkaProducer {
    pub(super) async fn open(address: &Address) -> Result<Self> {
        let topic = address.topic()?.to_owned();
        let (address, name) = (address.clone(), topic.clone());
        let opened = tokio::task::spawn_blocking(move || open(&address, &name));
        Ok(Self {
            client: Some(opened.await.map_err(stopped)??),
            topic,
            broken: None,
        })
    }

    /// Hands messages over in order, and collects results as the client's queue asks for room.
    async fn hand_over(&mut self, client: &FutureProducer, batch: &[Message]) -> Vec<Result<()>> {
        let mut waiting: VecDeque<Sent> = VecDeque::with_capacity(batch.len());
        let mut results = Vec::with_capacity(batch.len());
        for message in batch {
            let parts = match outgoing(message) {
                Ok(parts) => parts,
                Err(error) => {
                    waiting.push_back(Sent::Known(Err(error)));
                    continue;
                }
            };
            loop {
                match self.enqueue(client, &parts) {
                    Err(error) if is_full(&error) && !waiting.is_empty() => {
                        results.extend(self.result(client, waiting.pop_front()).await);
                    }
                    Err(error) => {
                        waiting.push_back(Sent::Known(Err(failure("send", error))));
                        break;
                    }
                    Ok(future) => {
                        waiting.push_back(Sent::UnderWay(future));
                        break;
                    }
                }
            }
        }
        while !waiting.is_empty() {
            results.extend(self.result(client, waiting.pop_front()).await);
        }
        results
    }

    fn enqueue(
        &self,
        client: &FutureProducer,
        parts: &Outgoing,
    ) -> std::result::Result<DeliveryFuture, KafkaError> {
        let record = FutureRecord {
            topic: &self.topic,
            partition: None,
            payload: parts.value.as_deref(),
            key: parts.key.as_deref(),
            timestamp: parts.timestamp,
            headers: parts.headers.clone(),
        };
        client.send_result(record).map_err(|(error, _)| error)
    }

    async fn result(&mut self, client: &FutureProducer, sent: Option<Sent>) -> Option<Result<()>> {
        let result = match sent? {
            Sent::Known(result) => result,
            Sent::UnderWay(future) => match future.await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err((error, _))) => Err(undelivered(error)),
                Err(_) => Err(undelivered(KafkaError::Canceled)),
            },
        };
        if let Err(error) = &result
            && matches!(error.kind(), ErrorKind::Unknown | ErrorKind::Disconnected)
            && self.broken.is_none()
        {
            // What comes after it must not overtake its second try.
            client.purge(PurgeConfig::default().queue());
            let message = "the client gave up on an earlier message; open a new one";
            let broken = Error::new(ErrorKind::Disconnected, "send", message);
            self.broken = Some(broken.with_source(error.clone()));
        }
        Some(result)
    }
}

#[async_trait]
impl Producer for KafkaProducer {
    async fn send(&mut self, batch: Vec<Message>) -> Vec<Result<()>> {
        let closed = || Error::new(ErrorKind::Closed, "send", "the producer is closed");
        match (self.client.clone(), &self.broken) {
            (None, _) => batch.iter().map(|_| Err(closed())).collect(),
            (_, Some(broken)) => batch.iter().map(|_| Err(broken.clone())).collect(),
            (Some(client), None) => self.hand_over(&client, &batch).await,
        }
    }

    async fn close(&mut self) -> Result<()> {
        let Some(client) = self.client.take() else {
            return Ok(());
        };
        // Flushing and dropping wait for librdkafka's threads.
        let flushed = tokio::task::spawn_blocking(move || client.flush(ANSWER));
        flushed
            .await
            .map_err(stopped)?
            .map_err(|error| failure("close", error))
    }
}

impl Drop for KafkaProducer {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            std::thread::spawn(move || drop(client));
        }
    }
}

/// Looks for the topic, whose creation by the broker it waits for, and how large its messages may
/// be.
fn open(address: &Address, topic: &str) -> Result<FutureProducer> {
    let config = common(address)?;
    let found = probe(&config, topic);
    if let Err(error) = found
        && error.kind() != ErrorKind::NotFound
    {
        return Err(error);
    }
    let config = producer(address, message_limit(&config, topic))?;
    let client: FutureProducer = config.create().map_err(|error| failure("connect", error))?;
    // Unlike a consumer's, a producer's question makes a broker create the topic that may do so.
    let deadline = std::time::Instant::now() + ANSWER;
    loop {
        let metadata = client.client().fetch_metadata(Some(topic), ANSWER);
        let metadata = metadata.map_err(|error| failure("connect", error))?;
        match partitions(&metadata, topic) {
            Ok(_) => return Ok(client),
            Err(error) if std::time::Instant::now() > deadline => return Err(error),
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(100)),
        }
    }
}

/// Whether the topic is there. Blocks.
pub(super) fn probe(config: &ClientConfig, topic: &str) -> Result<()> {
    reach(config)?;
    let client: BaseConsumer = config.create().map_err(|error| failure("connect", error))?;
    let metadata = client.fetch_metadata(Some(topic), ANSWER);
    let metadata = metadata.map_err(|error| failure("connect", error))?;
    partitions(&metadata, topic).map(drop)
}

pub(super) fn stopped(error: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Closed, "wait", "the runtime is shutting down").with_source(error)
}

fn is_full(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull)
}
