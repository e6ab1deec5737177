//! Where a subscription's messages come from: leases, or a position in the log.

use std::sync::Arc;

use super::{Bounds, Delivered, Open, OpenMode, Request, positional::Positional};
use crate::{
    broker::{
        Attach, Attachment, Broker, Credit, DEFAULT_NAMESPACE, Delivery, Mode, QUEUE, Subscription,
        Topic,
    },
    dispatcher::{OwnerId, Receipt},
    driver::Settlement,
    error::{Error, ErrorKind, Result},
    id::{Offset, PartitionId},
};

/// Messages taken at once.
pub(super) const READ_MESSAGES: usize = 512;
/// Octets that a header takes on a wire beyond its name and value, at most.
const HEADER_OVERHEAD: usize = 16;

/// The source of one subscription.
pub(super) enum Source {
    Lease(Lease),
    Positional(Positional),
}

/// Work sharing. Fields are dropped in order: first nothing more comes, then what is held goes back.
pub(super) struct Lease {
    attachment: Attachment,
    credit: Arc<Credit>,
    held: Held,
    /// Messages delivered and not settled, as far as this stream knows.
    out: u64,
}

/// Gives back what a stream holds when it ends, however it ends.
struct Held {
    subscription: Arc<Subscription>,
    owner: OwnerId,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.subscription.release_owner(self.owner);
    }
}

impl Source {
    pub(super) async fn open(broker: &Broker, topic: &Arc<Topic>, open: &Open) -> Result<Self> {
        match open.mode {
            OpenMode::Lease => Lease::open(broker, topic, open).await.map(Self::Lease),
            OpenMode::Positional => {
                let positional = Positional::open(broker, topic, open).await?;
                Ok(Self::Positional(positional))
            }
            OpenMode::Keyed => {
                let message = "mode `keyed` is not implemented yet; use lease or positional";
                Err(Error::new(ErrorKind::Unsupported, "subscribe", message))
            }
        }
    }

    /// The next messages, within the credit; waits for both. Cancel-safe.
    pub(super) async fn recv(&mut self) -> Result<Vec<Delivery>> {
        match self {
            Self::Lease(lease) => lease.recv().await,
            Self::Positional(positional) => positional.recv().await,
        }
    }

    pub(super) fn grant(&mut self, messages: u64) {
        match self {
            Self::Lease(lease) => lease.credit.grant(messages),
            Self::Positional(positional) => {
                positional.credit = positional.credit.saturating_add(messages);
            }
        }
    }

    /// Where it goes on, on a partition.
    fn position(&self, partition: PartitionId) -> Offset {
        let position = match self {
            Self::Lease(lease) => lease.held.subscription.floor(partition),
            Self::Positional(positional) => positional.reader.position(partition),
        };
        position.unwrap_or_default()
    }

    pub(super) fn bounds(&self, topic: &Topic) -> Result<Vec<Bounds>> {
        let partitions = (0..topic.partition_count()).map(PartitionId);
        let bounds = partitions.map(|partition| {
            let bounds = topic.bounds(partition)?;
            Ok(Bounds {
                partition,
                start: bounds.start,
                end: bounds.end,
                position: self.position(partition),
            })
        });
        bounds.collect()
    }

    /// Whether everything below the ends was delivered here or is settled.
    pub(super) fn is_drained(&self, ends: &[Bounds]) -> bool {
        let mut ends = ends.iter();
        if ends.all(|bounds| self.position(bounds.partition) >= bounds.end) {
            return true;
        }
        let Self::Lease(lease) = self else {
            return false;
        };
        let counts = lease.held.subscription.counts();
        counts.ready == 0 && counts.deferred == 0 && counts.leased <= lease.out
    }

    /// A delivery for the wire; `None` where it cannot be read or would not fit, which is logged,
    /// and in lease mode settled as `unconvertible`.
    pub(super) fn convert(&mut self, broker: &Broker, delivery: &Delivery) -> Option<Delivered> {
        let message = delivery.message(broker.codecs());
        let limit = broker.limits().message_bytes;
        let message = message.and_then(|message| {
            let overhead = message.headers.len().saturating_mul(HEADER_OVERHEAD);
            if message.size().saturating_add(overhead) > limit.saturating_add(limit / 32) {
                let text = format!("its headers do not fit a frame of {limit} octets");
                return Err(Error::new(ErrorKind::TooLarge, "deliver", text));
            }
            message.check_parts("deliver")?;
            Ok(message)
        });
        match message {
            Ok(message) => Some(Delivered {
                receipt: matches!(self, Self::Lease(_)).then_some(delivery.receipt),
                redelivered: delivery.redelivered,
                message,
            }),
            Err(error) => {
                let (topic, offset) = (&delivery.topic, delivery.offset());
                tracing::warn!(%topic, partition = %delivery.partition(), %offset, %error, "unconvertible: not delivered");
                self.skip(delivery.receipt);
                None
            }
        }
    }

    /// Settles what cannot be delivered, and gives its credit back.
    fn skip(&mut self, receipt: Receipt) {
        if let Self::Lease(lease) = self {
            let rejected = vec![(receipt, Settlement::reject("unconvertible"))];
            if let Err(error) = lease.held.subscription.settle(rejected) {
                tracing::error!(%error, "a message that cannot be delivered stays leased");
            }
            lease.out = lease.out.saturating_sub(1);
        }
        self.grant(1);
    }
}

impl Lease {
    async fn open(broker: &Broker, topic: &Arc<Topic>, open: &Open) -> Result<Self> {
        let owner = broker.new_owner();
        let name = open.group.as_deref().unwrap_or(QUEUE);
        let subscription = match topic.subscription(QUEUE) {
            Some(_) if name == QUEUE => {
                broker.queue(DEFAULT_NAMESPACE, &open.topic, Some(owner))?
            }
            _ => {
                broker
                    .ensure_subscription(topic, name, Mode::Lease, open.from)
                    .await?
            }
        };
        let credit = Credit::grants();
        let attach = Attach {
            owner,
            credit: credit.clone(),
            exclusive: false,
            lease: Some(open.lease),
        };
        let held = Held {
            subscription: subscription.clone(),
            owner,
        };
        Ok(Self {
            attachment: broker.attach(&subscription, attach)?,
            credit,
            held,
            out: 0,
        })
    }

    async fn recv(&mut self) -> Result<Vec<Delivery>> {
        let deliveries = self.attachment.recv(READ_MESSAGES).await;
        let deliveries = deliveries.ok_or_else(|| {
            let message = "the subscription is gone: its topic or queue was deleted";
            Error::new(ErrorKind::NotFound, "subscribe", message)
        })?;
        self.out += deliveries.len() as u64;
        Ok(deliveries)
    }

    /// Settles, and returns what the answer waits for.
    pub(super) fn settle(
        &mut self,
        settlements: Vec<(Receipt, Settlement)>,
    ) -> Result<(Vec<(Receipt, Error)>, crate::broker::Confirm)> {
        let asked: Vec<_> = settlements
            .iter()
            .map(|(receipt, settlement)| (*receipt, settlement.is_final()))
            .collect();
        let (held, confirm) = self.held.subscription.settle_each(settlements)?;
        let mut failures = Vec::new();
        for ((receipt, is_final), held) in asked.into_iter().zip(held) {
            if !held {
                failures.push((receipt, lease_ended(receipt)));
            }
            if is_final {
                self.out = self.out.saturating_sub(1);
            }
        }
        Ok((failures, confirm))
    }
}

/// A request that the source's mode does not have.
pub(super) fn wrong_mode(request: &Request) -> Error {
    let message = match request {
        Request::Settle { .. } => "settling is for lease mode; commit offsets in positional mode",
        Request::Seek { .. } => "seeking is for positional mode",
        _ => "committing is for positional mode with a group; settle receipts in lease mode",
    };
    Error::new(ErrorKind::Unsupported, "subscribe", message)
}

fn lease_ended(receipt: Receipt) -> Error {
    let Receipt {
        partition, offset, ..
    } = receipt;
    let message = format!("the lease on offset {offset} of partition {partition} has ended before");
    Error::new(ErrorKind::NotFound, "settle", message)
}
