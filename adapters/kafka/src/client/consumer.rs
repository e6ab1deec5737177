//! Consuming a topic.

use std::{pin::pin, sync::Arc};

use async_trait::async_trait;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use standpipe_core::{
    Error, ErrorKind, Result,
    address::Address,
    driver::{Consumer, Incoming, OpenOptions, ReceiveLimit, Until},
};
use tokio::sync::{Mutex, oneshot};

use super::{
    assignment::partitions,
    buffer::{Buffer, Found},
    context::Context,
    failure::failure,
    poller,
    producer::stopped,
    reach::reach,
    settings::{ANSWER, Source},
    settler::KafkaSettler,
    start::{ends, start},
};

/// A consumer of one topic; partitions are its lanes.
pub(super) struct KafkaConsumer {
    buffer: Arc<Buffer>,
    /// Told when the poller has left the group; gone once closed.
    left: Option<oneshot::Receiver<()>>,
}

impl KafkaConsumer {
    pub(super) async fn open(
        address: &Address,
        options: &OpenOptions,
    ) -> Result<(Self, KafkaSettler)> {
        let source = Source::of(address, options)?;
        let address = address.clone();
        let opened = tokio::task::spawn_blocking(move || open(&address, &source));
        opened.await.map_err(stopped)?
    }
}

#[async_trait]
impl Consumer for KafkaConsumer {
    async fn receive(&mut self, limit: ReceiveLimit) -> Result<Option<Vec<Incoming>>> {
        if self.left.is_none() {
            return Err(Error::new(
                ErrorKind::Closed,
                "receive",
                "the consumer is closed",
            ));
        }
        loop {
            let mut changed = pin!(self.buffer.changed());
            changed.as_mut().enable();
            match self.buffer.take(limit)? {
                Found::Batch(batch) => return Ok(Some(batch)),
                Found::End => return Ok(None),
                Found::Nothing => changed.await,
            }
        }
    }

    async fn close(&mut self) -> Result<()> {
        self.buffer.stop();
        let Some(left) = self.left.take() else {
            return Ok(());
        };
        match tokio::time::timeout(ANSWER, left).await {
            Ok(_) => Ok(()),
            Err(_) => {
                let message = format!("the group was not left within {ANSWER:?}");
                Err(Error::new(ErrorKind::Unknown, "close", message))
            }
        }
    }
}

impl Drop for KafkaConsumer {
    fn drop(&mut self) {
        self.buffer.stop();
    }
}

fn open(address: &Address, source: &Source) -> Result<(KafkaConsumer, KafkaSettler)> {
    let buffer = Arc::new(Buffer::new(source.window));
    let context = Context {
        buffer: Arc::clone(&buffer),
    };
    let config = source.settings(address)?;
    reach(&config)?;
    let consumer = config.create_with_context(context);
    let consumer: BaseConsumer<Context> = consumer.map_err(|error| failure("connect", error))?;
    let metadata = consumer.fetch_metadata(Some(&source.topic), ANSWER);
    let metadata = metadata.map_err(|error| failure("connect", error))?;
    let partitions = partitions(&metadata, &source.topic)?;
    if source.until == Until::End {
        buffer.drain(ends(&consumer, &source.topic, &partitions)?);
    }
    let held = start(&consumer, source, &partitions)?;
    let consumer = Arc::new(consumer);
    let settler = KafkaSettler {
        topic: source.topic.clone(),
        buffer: Arc::clone(&buffer),
        group: source.group.as_ref().map(|_| Arc::downgrade(&consumer)),
        held: Mutex::new(held),
    };
    let (leaving, left) = oneshot::channel();
    let polled = Arc::clone(&buffer);
    let thread = std::thread::Builder::new().name("kafka-consumer".to_owned());
    let started = thread.spawn(move || {
        poller::run(consumer, &polled);
        // Nobody may be waiting.
        let _ = leaving.send(());
    });
    started.map_err(|error| {
        Error::new(ErrorKind::Transient, "start a thread", "none to be had").with_source(error)
    })?;
    Ok((
        KafkaConsumer {
            buffer,
            left: Some(left),
        },
        settler,
    ))
}
