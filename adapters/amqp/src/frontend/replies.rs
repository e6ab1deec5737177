//! Direct reply-to, as RabbitMQ has it: answers go straight to the channel that asked, past every
//! queue and at most once. The asker consumes from the name below and gives it as `reply-to`; who
//! answers sees an address in its place and publishes there, through the default exchange.

use std::{collections::HashMap, sync::Arc, time::Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use standpipe_core::message::Text;

use super::{
    channel::{Channel, Shared},
    content::Publishing,
    deliver::check_properties,
    often::Often,
    queue::random_name,
    refusal::{Handled, Refusal},
};
use crate::codec::{
    method::Method,
    properties::Properties,
    stored::{self, Stored},
};

/// The name that is no queue.
const NAME: &str = "amq.rabbitmq.reply-to";

/// Dropped replies: whoever has an address may publish there, and who asked may not read.
static DROPPED: Often = Often::new();

/// The reply consumers of a frontend, by address.
#[derive(Debug, Default)]
pub(super) struct Replies {
    consumers: Mutex<HashMap<Text, Arc<Listening>>>,
}

#[derive(Debug)]
struct Listening {
    tag: Text,
    shared: Arc<Shared>,
    /// Cleared once nothing may be delivered any more; held while something is.
    open: Mutex<bool>,
}

/// A channel's reply consumer. Nothing is delivered once it is dropped.
#[derive(Debug)]
pub(super) struct ReplyConsumer {
    address: Text,
    listening: Arc<Listening>,
    replies: Arc<Replies>,
}

impl Drop for ReplyConsumer {
    fn drop(&mut self) {
        self.replies.consumers.lock().remove(&self.address);
        *self.listening.open.lock() = false;
    }
}

impl ReplyConsumer {
    pub(super) fn has_tag(&self, tag: &Text) -> bool {
        self.listening.tag == *tag
    }
}

impl Replies {
    fn listen(self: Arc<Self>, shared: Arc<Shared>, tag: Text) -> ReplyConsumer {
        let address = Text::from(format!("{NAME}.{}", random_name()));
        let listening = Arc::new(Listening {
            tag,
            shared,
            open: Mutex::new(true),
        });
        let mut consumers = self.consumers.lock();
        consumers.insert(address.clone(), listening.clone());
        drop(consumers);
        ReplyConsumer {
            address,
            listening,
            replies: self,
        }
    }

    /// Whether a declaration of this name finds something.
    pub(super) fn are_consumed(&self, name: &str) -> bool {
        name == NAME || self.consumers.lock().contains_key(&Text::from(name))
    }

    /// Delivers a reply; one that nobody waits for any more is dropped, as in RabbitMQ.
    pub(super) fn deliver(&self, publishing: &Publishing, stored: &Bytes) -> Handled {
        let found = self.consumers.lock().get(&publishing.routing_key).cloned();
        match found {
            Some(listening) => listening.deliver(publishing, stored),
            None => Ok(()),
        }
    }
}

impl Listening {
    /// Dropped where the client does not read, so that what waits for it stays bounded.
    fn deliver(&self, publishing: &Publishing, stored: &Bytes) -> Handled {
        let Stored { properties, body } = Stored::split(stored)?;
        let (shared, open) = (&self.shared, self.open.lock());
        let fits = check_properties(&properties, shared.frame_max);
        if !*open || !shared.output.has_room() || fits.is_err() {
            if let Some(count) = DROPPED.happened(Instant::now()) {
                let address = &publishing.routing_key;
                tracing::warn!(%address, count, "direct replies are dropped");
            }
            return Ok(());
        }
        let mut unacked = shared.unacked.lock();
        let deliver = Method::BasicDeliver {
            consumer_tag: self.tag.clone(),
            delivery_tag: unacked.next_tag(),
            redelivered: false,
            exchange: Text::default(),
            routing_key: publishing.routing_key.clone(),
        };
        shared.output.write(|waiting| {
            waiting.method(shared.id, &deliver);
            waiting.content(shared.id, &properties, &body, shared.frame_max);
        });
        Ok(())
    }
}

impl Channel {
    /// Starts the channel's reply consumer.
    pub(super) async fn consume_replies(
        &mut self,
        tag: Text,
        no_ack: bool,
        nowait: bool,
    ) -> Handled {
        self.check_tag(&tag)?;
        if !no_ack {
            return Err(Refusal::precondition_failed(
                "reply consumer cannot acknowledge",
            ));
        }
        if self.reply_consumer.is_some() {
            return Err(Refusal::precondition_failed("reply consumer already set"));
        }
        let consumer_tag = tag.clone();
        self.reply_unless(nowait, &Method::BasicConsumeOk { consumer_tag })
            .await?;
        let listening = self.replies.clone().listen(self.shared.clone(), tag);
        self.reply_consumer = Some(listening);
        Ok(())
    }

    /// Puts the address of the channel's reply consumer where a request names the pseudo-queue.
    pub(super) fn addressed(&self, properties: &mut Properties, stored: Bytes) -> Handled<Bytes> {
        if properties.reply_to.as_ref().is_none_or(|to| *to != NAME) {
            return Ok(stored);
        }
        let Some(consumer) = &self.reply_consumer else {
            return Err(Refusal::precondition_failed(
                "fast reply consumer does not exist",
            ));
        };
        properties.reply_to = Some(consumer.address.clone());
        Ok(stored::with_properties(&stored, properties)?)
    }
}

/// Whether this is the pseudo-queue.
pub(super) fn is_name(queue: &Text) -> bool {
    *queue == NAME
}

/// Whether a queue of this name is the pseudo-queue, or an address.
pub(super) fn is_reserved(queue: &str) -> bool {
    queue.starts_with(NAME)
}

/// Whether a publish goes to an address.
pub(super) fn is_reply(publishing: &Publishing) -> bool {
    let key = publishing.routing_key.as_bytes();
    let behind = key.strip_prefix(NAME.as_bytes());
    publishing.exchange.is_empty() && behind.is_some_and(|behind| behind.starts_with(b"."))
}
