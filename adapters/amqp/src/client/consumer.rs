//! Consuming a queue.

use std::sync::Arc;

use async_trait::async_trait;
use futures::{FutureExt, StreamExt};
use lapin::{
    Channel, Connection,
    message::Delivery,
    options::{BasicConsumeOptions, BasicQosOptions},
    types::{FieldTable, ShortString},
};
use standpipe_core::{
    Error, ErrorKind, Result,
    address::Address,
    driver::{Consumer, Incoming, Lane, OpenOptions, ReceiptToken, ReceiveLimit, Until},
};

use super::{
    connect::{channel, close, connect, in_time},
    drain::drained,
    failure::failure,
    outstanding::Outstanding,
    properties::incoming,
    settler::AmqpSettler,
    target::source_queue,
};

/// Messages unsettled at a time, unless the address or the caller says otherwise. More than a pipe
/// holds at most: what it holds is unsettled too, and with a full prefetch it would wait for ever
/// instead of stopping with its reason.
const PREFETCH: u16 = 1_024;

/// A consumer on one channel with manual acks. The queue is its one lane.
pub(super) struct AmqpConsumer {
    connection: Connection,
    channel: Channel,
    queue: ShortString,
    deliveries: lapin::Consumer,
    outstanding: Arc<Outstanding>,
    until: Until,
    /// Taken from the connection by the last call, and not part of what it returned.
    held: Option<Result<Incoming>>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Drained,
    Closed,
}

impl AmqpConsumer {
    pub(super) async fn open(
        address: &Address,
        options: &OpenOptions,
    ) -> Result<(Self, AmqpSettler)> {
        let queue = source_queue(address)?;
        let prefetch = prefetch(address, options)?;
        let connection = connect(address).await?;
        let consuming = consume(&connection, &queue, prefetch);
        let (channel, deliveries) = in_time("consume", consuming).await?;
        let outstanding = Arc::new(Outstanding::default());
        let settler = AmqpSettler {
            channel: channel.clone(),
            outstanding: Arc::clone(&outstanding),
        };
        let consumer = Self {
            connection,
            channel,
            queue,
            deliveries,
            outstanding,
            until: options.until,
            held: None,
            state: State::Open,
        };
        Ok((consumer, settler))
    }

    /// The next delivery; `None` when the queue counts as drained.
    async fn next(&mut self) -> Result<Option<Incoming>> {
        if let Some(held) = self.held.take() {
            return held.map(Some);
        }
        let next = match self.until {
            Until::Closed => self.deliveries.next().await,
            Until::End => tokio::select! {
                biased;
                next = self.deliveries.next() => next,
                drained = drained(&self.channel, &self.queue, &self.outstanding) => {
                    drained?;
                    self.state = State::Drained;
                    return Ok(None);
                }
            },
        };
        self.take_in(next).map(Some)
    }

    fn take_in(&self, next: Option<lapin::Result<Delivery>>) -> Result<Incoming> {
        let next = next
            .transpose()
            .map_err(|error| failure("receive", error))?;
        let Some(mut delivery) = next else {
            let queue = &self.queue;
            let message =
                format!("the broker ended the consumer; was the queue `{queue}` deleted?");
            return Err(Error::new(ErrorKind::Disconnected, "receive", message));
        };
        self.outstanding.add(delivery.delivery_tag);
        Ok(Incoming {
            message: incoming(&mut delivery)?,
            receipt: ReceiptToken {
                lane: Lane(0),
                number: delivery.delivery_tag,
            },
            attempts: u32::from(delivery.redelivered),
        })
    }
}

#[async_trait]
impl Consumer for AmqpConsumer {
    async fn receive(&mut self, limit: ReceiveLimit) -> Result<Option<Vec<Incoming>>> {
        match self.state {
            State::Open => {}
            State::Drained => return Ok(None),
            State::Closed => return Err(closed()),
        }
        let Some(first) = self.next().await? else {
            return Ok(None);
        };
        // From here on nothing is awaited: what was taken is returned.
        let mut bytes = first.message.size();
        let mut batch = vec![first];
        while batch.len() < limit.messages.get() {
            let Some(next) = self.deliveries.next().now_or_never() else {
                break;
            };
            let one = self.take_in(next);
            bytes = bytes.saturating_add(one.as_ref().map_or(0, |one| one.message.size()));
            match one {
                Ok(one) if bytes <= limit.bytes => batch.push(one),
                other => {
                    self.held = Some(other);
                    break;
                }
            }
        }
        Ok(Some(batch))
    }

    async fn close(&mut self) -> Result<()> {
        self.state = State::Closed;
        self.held = None;
        close(&self.connection).await
    }
}

/// Opens a channel and consumes the queue on it.
async fn consume(
    connection: &Connection,
    queue: &ShortString,
    prefetch: u16,
) -> Result<(Channel, lapin::Consumer)> {
    let channel = channel(connection).await?;
    let qos = channel
        .basic_qos(prefetch, BasicQosOptions::default())
        .await;
    qos.map_err(|error| failure("set the prefetch", error))?;
    let options = BasicConsumeOptions::default();
    let table = FieldTable::default();
    let deliveries = channel
        .basic_consume(queue.clone(), "".into(), options, table)
        .await;
    let deliveries = deliveries.map_err(|error| failure("consume", error))?;
    Ok((channel, deliveries))
}

fn prefetch(address: &Address, options: &OpenOptions) -> Result<u16> {
    let given: Option<u16> = address.parsed("prefetch")?;
    let asked = options
        .window
        .map(|window| u16::try_from(window).unwrap_or(u16::MAX));
    match given.or(asked) {
        // AMQP's zero is no limit at all.
        Some(0) => Err(address.invalid("a prefetch of 0 has no bound; use 1 to 65535")),
        chosen => Ok(chosen.unwrap_or(PREFETCH)),
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "receive", "the consumer is closed")
}

#[cfg(test)]
mod tests {
    use standpipe_core::pipe::Limits;

    use super::*;

    #[test]
    fn a_pipe_stops_for_what_it_holds_before_that_fills_the_prefetch() {
        let address = "amqp://h/v?queue=q".parse().unwrap();
        let chosen = prefetch(&address, &OpenOptions::default()).unwrap();
        assert!(usize::from(chosen) > Limits::default().held, "{chosen}");
    }
}
