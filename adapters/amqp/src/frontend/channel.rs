//! One channel: what it holds, and which method goes where.

use std::{
    collections::HashMap,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use parking_lot::Mutex;
use standpipe_core::{
    broker::{Broker, Credit, LaneId},
    dispatcher::OwnerId,
    message::Text,
};
use tokio_util::sync::CancellationToken;

use super::{
    confirm::Confirms,
    consume::Consumer,
    content::{Incoming, Progress, Publishing},
    output::Output,
    promises::Promises,
    refusal::{Handled, Refusal},
    replies::{Replies, ReplyConsumer},
    settle::{Settling, refused},
    unacked::Unacked,
    unfinished::Unfinished,
};
use crate::codec::{
    frame::{Frame, FrameKind},
    method::{Method, decode_method},
};

/// What a channel's consumers share with it.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) id: u16,
    pub(super) output: Arc<Output>,
    pub(super) frame_max: usize,
    /// Whether the client understands `basic.cancel` from us.
    pub(super) cancel_notify: bool,
    /// Ends the consumers, all at once; so does the connection's, of which this is a child.
    pub(super) stop: CancellationToken,
    pub(super) unacked: Mutex<Unacked>,
    pub(super) consumers: Mutex<HashMap<Text, Consumer>>,
    /// Held while the channel deletes a queue: its consumers are told of that after its answer, as in
    /// RabbitMQ. amqplib closes the channel when they are, and misses the answer.
    pub(super) deleting: tokio::sync::Mutex<()>,
}

/// An open channel.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) shared: Arc<Shared>,
    pub(super) broker: Broker,
    /// The connection, which owns exclusive queues.
    pub(super) connection: OwnerId,
    /// The channel, which owns leases.
    pub(super) owner: OwnerId,
    pub(super) lane: LaneId,
    pub(super) confirms: Option<Confirms>,
    pub(super) promises: Promises,
    pub(super) settling: Settling,
    pub(super) last_queue: Option<String>,
    pub(super) replies: Arc<Replies>,
    pub(super) reply_consumer: Option<ReplyConsumer>,
    /// Prefetch of consumers to come; 0 is no limit.
    pub(super) prefetch: u16,
    /// Prefetch of the channel as a whole.
    pub(super) channel_credit: Arc<Credit>,
    unfinished: Arc<Unfinished>,
    incoming: Option<Incoming>,
}

/// What a frame did beyond its channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Go,
    /// The client closed the channel.
    Close,
}

impl Channel {
    pub(super) fn new(
        (broker, replies, unfinished): (&Broker, &Arc<Replies>, &Arc<Unfinished>),
        connection: OwnerId,
        shared: Shared,
    ) -> Self {
        let owner = broker.new_owner();
        Self {
            shared: Arc::new(shared),
            broker: broker.clone(),
            connection,
            owner,
            lane: LaneId(owner.0),
            confirms: None,
            promises: Promises::default(),
            settling: Settling::default(),
            last_queue: None,
            replies: replies.clone(),
            reply_consumer: None,
            prefetch: 0,
            channel_credit: Credit::unlimited(),
            unfinished: unfinished.clone(),
            incoming: None,
        }
    }

    /// Takes the next frame.
    pub(super) async fn frame(&mut self, frame: Frame) -> Handled<Then> {
        if let Some(incoming) = self.incoming.take() {
            match incoming.frame(frame, self.broker.limits().message_bytes)? {
                Progress::More(incoming) => self.incoming = Some(incoming),
                Progress::Whole(content) => self.publish(content).await?,
            }
            return Ok(Then::Go);
        }
        if frame.kind != FrameKind::Method {
            return Err(Refusal::unexpected_frame(
                "expected method frame, got non method frame instead",
            ));
        }
        let method = decode_method(frame.payload).map_err(super::handshake::refuse_method)?;
        self.method(method).await
    }

    /// Whether the next frame belongs to a `basic.publish` before it.
    pub(super) fn is_taking_content(&self) -> bool {
        self.incoming.is_some()
    }

    async fn method(&mut self, method: Method) -> Handled<Then> {
        match method {
            Method::BasicPublish {
                exchange,
                routing_key,
                mandatory,
                immediate,
                ..
            } => {
                if immediate {
                    return Err(Refusal::not_implemented("immediate=true"));
                }
                let publishing = Publishing {
                    exchange,
                    routing_key,
                    mandatory,
                };
                self.incoming = Some(Incoming::Header(publishing, self.unfinished.share()));
            }
            Method::BasicAck {
                delivery_tag,
                multiple,
            } => {
                self.settle(
                    delivery_tag,
                    multiple,
                    &standpipe_core::driver::Settlement::Ack,
                )?;
            }
            Method::BasicNack {
                delivery_tag,
                multiple,
                requeue,
            } => {
                self.settle(delivery_tag, multiple, &refused(requeue))?;
            }
            Method::BasicReject {
                delivery_tag,
                requeue,
            } => {
                self.settle(delivery_tag, false, &refused(requeue))?;
            }
            Method::ChannelClose { .. } => return Ok(Then::Close),
            other => {
                self.promises.check()?;
                self.settling.flush()?;
                self.rare(other).await?;
            }
        }
        Ok(Then::Go)
    }

    /// Methods that are not sent once a message.
    async fn rare(&mut self, method: Method) -> Handled {
        match method {
            Method::BasicQos {
                prefetch_size,
                prefetch_count,
                global,
            } => {
                self.qos(prefetch_size, prefetch_count, global)?;
                self.reply(&Method::BasicQosOk {}).await
            }
            Method::BasicConsume { .. } => self.consume(method).await,
            Method::BasicCancel {
                consumer_tag,
                nowait,
            } => self.cancel(consumer_tag, nowait).await,
            Method::BasicGet { queue, no_ack, .. } => self.get(&queue, no_ack).await,
            Method::BasicRecoverAsync { requeue } => self.recover(requeue),
            Method::BasicRecover { requeue } => {
                self.recover(requeue)?;
                self.reply(&Method::BasicRecoverOk {}).await
            }
            Method::ConfirmSelect { nowait } => {
                let confirms = || Confirms::start(self.shared.id, self.shared.output.clone());
                self.confirms.get_or_insert_with(confirms);
                self.reply_unless(nowait, &Method::ConfirmSelectOk {}).await
            }
            Method::ChannelFlow { active: true } => {
                self.reply(&Method::ChannelFlowOk { active: true }).await
            }
            Method::ChannelFlow { active: false } => Err(Refusal::not_implemented("active=false")),
            Method::ChannelOpen { .. } => Err(Refusal::channel_error("second 'channel.open' seen")),
            Method::AccessRequest { .. } => {
                self.reply(&Method::AccessRequestOk { ticket: 1 }).await
            }
            Method::TxSelect {} if self.confirms.is_some() => Err(Refusal::precondition_failed(
                "cannot switch from confirm to tx mode",
            )),
            Method::TxSelect {} => Err(Refusal::not_implemented(
                "transactions (class tx); use publisher confirms",
            )),
            // None is: it would have to be selected before.
            Method::TxCommit {} | Method::TxRollback {} => {
                Err(Refusal::precondition_failed("channel is not transactional"))
            }
            other => match other.id().0 {
                40 => self.exchange(other).await,
                50 => self.queue(other).await,
                _ => Err(Refusal::command_invalid("unimplemented method")),
            },
        }
    }

    /// Ready once what was published so far is visible, or is known to be lost.
    pub(super) fn poll_published(&mut self, context: &mut Context<'_>) -> Poll<()> {
        ready!(self.promises.poll_kept(context));
        match &self.confirms {
            Some(confirms) => confirms.poll_answered(context),
            None => Poll::Ready(()),
        }
    }

    /// Whether the channel published something that is not visible yet.
    pub(super) fn is_publishing(&mut self) -> bool {
        self.poll_published(&mut Context::from_waker(Waker::noop()))
            .is_pending()
    }

    /// Answers, once everything that was settled before is persisted.
    pub(super) async fn reply(&mut self, method: &Method) -> Handled {
        self.settling.persisted().await?;
        self.shared.output.method(self.shared.id, method);
        Ok(())
    }

    pub(super) async fn reply_unless(&mut self, nowait: bool, method: &Method) -> Handled {
        if nowait {
            return Ok(());
        }
        self.reply(method).await
    }

    /// Ends the channel: no frame of it follows, and what it has not settled goes back.
    pub(super) async fn end(mut self) -> Handled {
        self.reply_consumer = None;
        // Before anything is waited for: no consumer takes more while another ends.
        self.shared.stop.cancel();
        if let Some(confirms) = self.confirms.take() {
            confirms.stop().await;
        }
        let consumers: Vec<_> = self.shared.consumers.lock().drain().collect();
        for (_, consumer) in consumers {
            consumer.stop().await;
        }
        let settled = self.settling.flush();
        self.recover(true)?;
        settled?;
        self.settling.persisted().await
    }
}
