//! Class queue: declare, bind, unbind, purge, delete (specification 1.6).

pub(super) mod arguments;

use std::sync::Arc;

use standpipe_core::{
    Error, ErrorKind,
    broker::{DEFAULT_NAMESPACE, QueueInfo, QueueSpec, Subscription},
    message::Text,
    router::{Binding, Destination},
};

use super::{
    channel::Channel,
    get::waiting,
    refusal::{Handled, Refusal},
    replies::is_reserved,
};
use crate::codec::{method::Method, table::Table};
use arguments::{check_queue, compared, expires_of, retention_of};

impl Channel {
    pub(super) async fn queue(&mut self, method: Method) -> Handled {
        match method {
            Method::QueueDeclare {
                queue,
                passive: true,
                nowait,
                ..
            } => self.find_queue(&queue, nowait).await,
            Method::QueueDeclare { .. } => self.declare_queue(method).await,
            Method::QueueBind {
                queue,
                exchange,
                routing_key,
                nowait,
                arguments,
                ..
            } => {
                let binding = self.binding(&queue, &exchange, routing_key, arguments)?;
                // Where both are missing, RabbitMQ names the exchange.
                self.exchange_is_there(&binding.source)?;
                self.usable(binding.destination.name())?;
                self.broker.bind(DEFAULT_NAMESPACE, binding).await?;
                self.reply_unless(nowait, &Method::QueueBindOk {}).await
            }
            Method::QueueUnbind {
                queue,
                exchange,
                routing_key,
                arguments,
                ..
            } => {
                let binding = self.binding(&queue, &exchange, routing_key, arguments)?;
                unless_missing(self.usable(binding.destination.name()))?;
                self.unbind(&binding).await?;
                self.reply(&Method::QueueUnbindOk {}).await
            }
            Method::QueuePurge { queue, nowait, .. } => {
                let subscription = self.named_queue(&queue)?;
                let purged = subscription.purge().await?;
                let message_count = u32::try_from(purged).unwrap_or(u32::MAX);
                self.reply_unless(nowait, &Method::QueuePurgeOk { message_count })
                    .await
            }
            Method::QueueDelete {
                queue,
                if_unused,
                if_empty,
                nowait,
                ..
            } => {
                let shared = self.shared.clone();
                let _answer_first = shared.deleting.lock().await;
                let message_count = self.delete_queue(&queue, if_unused, if_empty).await?;
                self.reply_unless(nowait, &Method::QueueDeleteOk { message_count })
                    .await
            }
            _ => Err(Refusal::command_invalid("unimplemented method")),
        }
    }

    /// The queue called so; the empty name is the last one that this channel declared.
    pub(super) fn named_queue(&self, queue: &Text) -> Handled<Arc<Subscription>> {
        let queue = self.meant(queue)?;
        self.usable(queue)
    }

    fn meant<'a>(&'a self, queue: &'a Text) -> Handled<&'a str> {
        match (queue.is_empty(), &self.last_queue) {
            (false, _) => name(queue),
            (true, Some(last)) => Ok(last),
            (true, None) => Err(Refusal::not_found("no previously declared queue")),
        }
    }

    fn usable(&self, queue: &str) -> Handled<Arc<Subscription>> {
        let found = self
            .broker
            .queue(DEFAULT_NAMESPACE, queue, Some(self.connection));
        found.map_err(refuse)
    }

    async fn find_queue(&mut self, queue: &Text, nowait: bool) -> Handled {
        let queue = one_line(queue)?;
        if is_reserved(&queue) {
            return self.find_replies(queue, nowait).await;
        }
        let subscription = self.usable(&queue)?;
        subscription.used();
        let declared = Method::QueueDeclareOk {
            queue: queue.as_str().into(),
            message_count: waiting(&subscription),
            consumer_count: u32::try_from(subscription.counts().consumers).unwrap_or(u32::MAX),
        };
        self.last_queue = Some(queue);
        self.reply_unless(nowait, &declared).await
    }

    /// What is declared there is declared passively: it is there while it is consumed.
    async fn find_replies(&mut self, queue: String, nowait: bool) -> Handled {
        if !self.replies.are_consumed(&queue) {
            return Err(Refusal::not_found(format!(
                "no queue '{queue}' in vhost '/'"
            )));
        }
        let declared = Method::QueueDeclareOk {
            queue: queue.as_str().into(),
            message_count: 0,
            consumer_count: 1,
        };
        self.last_queue = Some(queue);
        self.reply_unless(nowait, &declared).await
    }

    async fn declare_queue(&mut self, method: Method) -> Handled {
        let Method::QueueDeclare {
            queue,
            durable,
            exclusive,
            auto_delete,
            nowait,
            arguments,
            ..
        } = method
        else {
            return Err(Refusal::command_invalid("unimplemented method"));
        };
        if queue.as_str().is_some_and(is_reserved) {
            return self.find_queue(&queue, nowait).await;
        }
        let queue = self.name_for(&queue)?;
        check_queue(&arguments, &queue)?;
        let unused_for = expires_of(&arguments, &queue);
        let mut spec = QueueSpec {
            namespace: DEFAULT_NAMESPACE.into(),
            name: queue.clone(),
            // What goes with its connection outlives no broker, whatever is asked.
            durable: durable && !exclusive,
            exclusive: exclusive.then_some(self.connection),
            auto_delete,
            unused_for: None,
            retention: retention_of(&arguments, &queue)?,
            arguments: compared(arguments, &queue)?,
        };
        match unused_for {
            Ok(unused_for) => spec.unused_for = unused_for,
            Err(refusal) => {
                // As in RabbitMQ, that it differs from what is there comes first.
                self.broker.check_queue(&spec).map_err(refuse)?;
                return Err(refusal);
            }
        }
        let info = self.broker.declare_queue(spec).await.map_err(refuse)?;
        self.last_queue = Some(queue.clone());
        self.reply_unless(nowait, &declared(&queue, &info)).await
    }

    /// The name asked for, or one of ours. `amq.` names a queue that is there, or none.
    fn name_for(&self, queue: &Text) -> Handled<String> {
        let queue = one_line(queue)?;
        if queue.is_empty() {
            return Ok(format!("amq.gen-{}", random_name()));
        }
        let there = || {
            self.broker
                .queue(DEFAULT_NAMESPACE, &queue, Some(self.connection))
        };
        if queue.starts_with("amq.") && there().is_err() {
            return Err(Refusal::access_refused(format!(
                "queue name '{queue}' contains reserved prefix 'amq.*'"
            )));
        }
        Ok(queue)
    }

    /// Messages that were there; a queue that is not there has none, as in RabbitMQ.
    async fn delete_queue(
        &mut self,
        queue: &Text,
        if_unused: bool,
        if_empty: bool,
    ) -> Handled<u32> {
        let queue = &without_breaks(self.meant(queue)?);
        match self
            .broker
            .queue(DEFAULT_NAMESPACE, queue, Some(self.connection))
        {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(refuse(error)),
        }
        let deleted = self
            .broker
            .delete_queue(DEFAULT_NAMESPACE, queue, if_unused, if_empty)
            .await;
        match deleted {
            Ok(messages) => Ok(u32::try_from(messages).unwrap_or(u32::MAX)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
            Err(error) => Err(refuse(error)),
        }
    }

    /// Where the queue's name is empty and so is the key, the key is the queue's name (1.7.2.3).
    fn binding(
        &self,
        queue: &Text,
        exchange: &Text,
        key: Text,
        arguments: Table,
    ) -> Handled<Binding> {
        let meant = self.meant(queue)?;
        let key = if queue.is_empty() && key.is_empty() {
            meant.into()
        } else {
            key
        };
        let destination = Destination::Topic(without_breaks(meant).into());
        Ok(Binding::new(one_line(exchange)?, destination, key).with_arguments(arguments))
    }
}

/// A name as the broker has names.
pub(super) fn name(text: &Text) -> Handled<&str> {
    text.as_str()
        .filter(|name| !name.contains('\0'))
        .ok_or_else(|| Refusal::frame_error("Malformed UTF-8 in shortstr"))
}

/// The same without CR and LF. RabbitMQ takes them out where queues and exchanges are declared, bound
/// and deleted, and not where messages are published, got, consumed or purged.
pub(super) fn one_line(text: &Text) -> Handled<String> {
    name(text).map(without_breaks)
}

fn without_breaks(name: &str) -> String {
    name.replace(['\r', '\n'], "")
}

/// A name that no other has.
pub(super) fn random_name() -> String {
    standpipe_core::id::TopicId::random().0.simple().to_string()
}

fn declared(queue: &str, info: &QueueInfo) -> Method {
    Method::QueueDeclareOk {
        queue: queue.into(),
        message_count: u32::try_from(info.ready).unwrap_or(u32::MAX),
        consumer_count: u32::try_from(info.consumers).unwrap_or(u32::MAX),
    }
}

/// `Denied` of a queue is that another connection has it for itself.
fn refuse(error: Error) -> Refusal {
    match error.kind() {
        ErrorKind::Denied => Refusal::resource_locked(error.message()),
        _ => error.into(),
    }
}

fn unless_missing<T>(found: Handled<T>) -> Handled {
    match found {
        Err(refusal) if refusal.code != 404 => Err(refusal),
        _ => Ok(()),
    }
}
