//! `basic.get`.

use standpipe_core::{broker::Subscription, driver::Settlement, message::Text};

use super::{
    channel::Channel, deliver::Outgoing, pump::unconvertible, refusal::Handled, unacked::Held,
};
use crate::codec::method::Method;

impl Channel {
    /// Answers with one message, or that there is none.
    pub(super) async fn get(&mut self, queue: &Text, no_ack: bool) -> Handled {
        let subscription = self.named_queue(queue)?;
        self.settling.persisted().await?;
        // A few octets ask for a whole message: a client that does not read gets no more of them.
        self.shared.output.room_for_replies().await;
        while let Some(delivery) = subscription.get(self.owner).await? {
            match Outgoing::of(&delivery, self.broker.codecs(), self.shared.frame_max) {
                Ok(outgoing) => {
                    let held = Held {
                        receipt: delivery.receipt,
                        subscription,
                    };
                    return self.got(held, delivery.redelivered, outgoing, no_ack);
                }
                Err(error) => {
                    let rejected = subscription.settle(vec![unconvertible(&delivery, &error)])?;
                    rejected.wait().await?;
                }
            }
        }
        let cluster_id = Text::default();
        self.reply(&Method::BasicGetEmpty { cluster_id }).await
    }

    fn got(&self, held: Held, redelivered: bool, outgoing: Outgoing, no_ack: bool) -> Handled {
        if no_ack {
            // As for consumers without acks: sending is settling, and nobody waits for the disk.
            drop(
                held.subscription
                    .settle(vec![(held.receipt, Settlement::Ack)])?,
            );
        }
        let message_count = waiting(&held.subscription);
        let mut unacked = self.shared.unacked.lock();
        let delivery_tag = if no_ack {
            unacked.next_tag()
        } else {
            unacked.hold(held)
        };
        let get_ok = Method::BasicGetOk {
            delivery_tag,
            redelivered,
            exchange: outgoing.exchange,
            routing_key: outgoing.routing_key,
            message_count,
        };
        self.shared.output.write(|out| {
            out.method(self.shared.id, &get_ok);
            let frame_max = self.shared.frame_max;
            out.content(
                self.shared.id,
                &outgoing.properties,
                &outgoing.body,
                frame_max,
            );
        });
        Ok(())
    }
}

/// Messages that wait in a queue, as AMQP's 32 bits say it.
pub(super) fn waiting(subscription: &Subscription) -> u32 {
    u32::try_from(subscription.counts().ready).unwrap_or(u32::MAX)
}
