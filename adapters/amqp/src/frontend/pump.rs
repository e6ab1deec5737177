//! The task of one consumer: deliveries from the broker into the output.

use std::sync::Arc;

use standpipe_core::{
    broker::{Attachment, Broker, Delivery, Subscription},
    dispatcher::Receipt,
    driver::Settlement,
    message::Text,
};
use tokio_util::sync::CancellationToken;

use super::{channel::Shared, deliver::Outgoing, unacked::Held};
use crate::codec::method::Method;

/// Deliveries taken from the broker at once.
const BATCH: usize = 64;

/// One consumer's way from its queue to its client.
pub(super) struct Pump {
    pub(super) shared: Arc<Shared>,
    pub(super) broker: Broker,
    pub(super) tag: Text,
    pub(super) no_ack: bool,
}

impl Pump {
    /// Carries deliveries until `stop`, or until the queue is gone, which the client is told.
    pub(super) async fn run(self, mut attachment: Attachment, stop: CancellationToken) {
        loop {
            let next = async {
                self.shared.output.room().await;
                attachment.recv(BATCH).await
            };
            let deliveries = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                deliveries = next => deliveries,
            };
            let Some(deliveries) = deliveries else {
                self.cancelled().await;
                break;
            };
            self.deliver(attachment.subscription(), deliveries);
        }
        attachment.cancel().await;
    }

    async fn cancelled(&self) {
        drop(self.shared.deleting.lock().await);
        self.shared.consumers.lock().remove(&self.tag);
        if self.shared.cancel_notify {
            let cancel = Method::BasicCancel {
                consumer_tag: self.tag.clone(),
                nowait: true,
            };
            self.shared.output.method(self.shared.id, &cancel);
        }
    }

    fn deliver(&self, subscription: &Arc<Subscription>, deliveries: Vec<Delivery>) {
        let mut settled = Vec::new();
        let ready: Vec<_> = deliveries
            .into_iter()
            .filter_map(|delivery| {
                let found = Outgoing::of(&delivery, self.broker.codecs(), self.shared.frame_max);
                match found {
                    Ok(outgoing) => Some((delivery.receipt, delivery.redelivered, outgoing)),
                    Err(error) => {
                        settled.push(unconvertible(&delivery, &error));
                        None
                    }
                }
            })
            .collect();
        if self.no_ack {
            settled.extend(
                ready
                    .iter()
                    .map(|(receipt, ..)| (*receipt, Settlement::Ack)),
            );
        }
        self.write(subscription, ready);
        if !settled.is_empty()
            && let Err(error) = subscription.settle(settled)
        {
            tracing::error!(queue = %subscription.name(), %error, "settlements are not persisted");
        }
    }

    /// Tags are given and frames written under one lock, so that tags rise on the wire.
    fn write(&self, subscription: &Arc<Subscription>, ready: Vec<(Receipt, bool, Outgoing)>) {
        let mut unacked = self.shared.unacked.lock();
        self.shared.output.write(|waiting| {
            for (receipt, redelivered, outgoing) in ready {
                let delivery_tag = if self.no_ack {
                    unacked.next_tag()
                } else {
                    let subscription = subscription.clone();
                    unacked.hold(Held {
                        subscription,
                        receipt,
                    })
                };
                let deliver = Method::BasicDeliver {
                    consumer_tag: self.tag.clone(),
                    delivery_tag,
                    redelivered,
                    exchange: outgoing.exchange,
                    routing_key: outgoing.routing_key,
                };
                waiting.method(self.shared.id, &deliver);
                let frame_max = self.shared.frame_max;
                waiting.content(
                    self.shared.id,
                    &outgoing.properties,
                    &outgoing.body,
                    frame_max,
                );
            }
        });
    }
}

/// What AMQP cannot carry leaves the queue with that reason, and blocks nothing.
pub(super) fn unconvertible(
    delivery: &Delivery,
    error: &standpipe_core::Error,
) -> (Receipt, Settlement) {
    let (topic, offset) = (&delivery.topic, delivery.offset());
    tracing::warn!(%topic, %offset, %error, "rejected as unconvertible");
    (delivery.receipt, Settlement::reject("unconvertible"))
}
