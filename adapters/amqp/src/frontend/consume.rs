//! `basic.consume`, `basic.cancel` and `basic.qos`.

use std::sync::Arc;

use standpipe_core::{
    ErrorKind,
    broker::{Attach, Credit},
    message::Text,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{
    channel::Channel,
    pump::Pump,
    queue::arguments::check_consumer,
    refusal::{Handled, Refusal},
    replies::is_name,
};
use crate::codec::method::Method;

/// Consumers of one channel.
const CONSUMERS: usize = 16_384;

/// A consumer of this channel.
#[derive(Debug)]
pub(super) struct Consumer {
    stop: CancellationToken,
    pump: JoinHandle<()>,
}

impl Consumer {
    /// Ends it: nothing is delivered after this.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.pump.await {
            tracing::error!(%error, "a consumer's task failed");
        }
    }
}

impl Channel {
    /// Starts a consumer. `no_local` is taken and ignored, as RabbitMQ does.
    pub(super) async fn consume(&mut self, method: Method) -> Handled {
        let Method::BasicConsume {
            queue,
            consumer_tag,
            no_ack,
            exclusive,
            nowait,
            arguments,
            ..
        } = method
        else {
            return Err(Refusal::command_invalid("unimplemented method"));
        };
        if is_name(&queue) {
            let tag = self.tag(consumer_tag);
            return self.consume_replies(tag, no_ack, nowait).await;
        }
        let subscription = self.named_queue(&queue)?;
        let queue = subscription.topic()?.name().clone();
        check_consumer(&arguments, &queue)?;
        let tag = self.tag(consumer_tag);
        self.check_tag(&tag)?;
        let attach = Attach {
            owner: self.owner,
            credit: self.credit(no_ack),
            exclusive,
            lease: None,
        };
        let attached = self.broker.attach(&subscription, attach);
        let attachment = attached.map_err(|error| match error.kind() {
            ErrorKind::Denied => {
                Refusal::access_refused(format!("queue '{queue}' in vhost '/' in exclusive use"))
            }
            _ => error.into(),
        })?;
        let consumer_tag = tag.clone();
        self.reply_unless(nowait, &Method::BasicConsumeOk { consumer_tag })
            .await?;
        let pump = Pump {
            shared: self.shared.clone(),
            broker: self.broker.clone(),
            tag: tag.clone(),
            no_ack,
        };
        let stop = self.shared.stop.child_token();
        // Held over the spawn, so that a pump that ends at once finds itself here.
        let mut consumers = self.shared.consumers.lock();
        let pump = tokio::spawn(pump.run(attachment, stop.clone()));
        consumers.insert(tag, Consumer { stop, pump });
        Ok(())
    }

    pub(super) fn check_tag(&self, tag: &Text) -> Handled {
        let consumers = self.shared.consumers.lock();
        if consumers.contains_key(tag) {
            return Err(Refusal::not_allowed(format!(
                "attempt to reuse consumer tag '{tag}'"
            )));
        }
        if consumers.len() >= CONSUMERS {
            return Err(Refusal::resource_error(format!(
                "more than {CONSUMERS} consumers on a channel"
            )));
        }
        Ok(())
    }

    /// Ends a consumer; what it was given stays with the channel. An unknown tag is answered too.
    pub(super) async fn cancel(&mut self, consumer_tag: Text, nowait: bool) -> Handled {
        self.reply_consumer
            .take_if(|replies| replies.has_tag(&consumer_tag));
        let consumer = self.shared.consumers.lock().remove(&consumer_tag);
        if let Some(consumer) = consumer {
            consumer.stop().await;
        }
        self.reply_unless(nowait, &Method::BasicCancelOk { consumer_tag })
            .await
    }

    /// Sets the prefetch of consumers to come, or of the channel as a whole where `global`:
    /// RabbitMQ's meaning of the word. As there, the former lifts the latter.
    pub(super) fn qos(&mut self, size: u32, count: u16, global: bool) -> Handled {
        if size != 0 {
            return Err(Refusal::not_implemented(format!(
                "prefetch_size!=0 ({size})"
            )));
        }
        if global {
            self.channel_credit.set_window(count.into());
        } else {
            self.prefetch = count;
            self.channel_credit.set_window(0);
        }
        Ok(())
    }

    /// A consumer without acks has no prefetch of its own; like any, it waits while the channel's is
    /// used up, but what it is given does not count.
    fn credit(&self, no_ack: bool) -> Arc<Credit> {
        let all = self.channel_credit.clone();
        match no_ack {
            true => Credit::beside(all),
            false => Credit::within(self.prefetch.into(), all),
        }
    }

    fn tag(&self, asked: Text) -> Text {
        if asked.is_empty() {
            format!("amq.ctag-{}", super::queue::random_name()).into()
        } else {
            asked
        }
    }
}
