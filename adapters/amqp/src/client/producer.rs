//! Publishing with confirms, all of a batch under way at once.

use async_trait::async_trait;
use lapin::{
    Channel, Confirmation, Connection, PublisherConfirm,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use standpipe_core::{
    Error, ErrorKind, Result, address::Address, driver::Producer, message::Message,
};

use super::{
    connect::{close, connect, in_time, look},
    failure::{failure, is_of_the_channel, unanswered},
    properties::outgoing,
    returned::{Published, places},
    target::Target,
};

/// A producer on one channel in confirm mode.
pub(super) struct AmqpProducer {
    connection: Connection,
    channel: Channel,
    target: Target,
    user: String,
    frame_max: usize,
}

impl AmqpProducer {
    pub(super) async fn open(address: &Address) -> Result<Self> {
        let target = Target::of(address)?;
        let connection = connect(address).await?;
        let opening = confirming(&connection, &target);
        let channel = in_time("open a channel", opening).await?;
        let frame_max = usize::try_from(connection.configuration().frame_max());
        Ok(Self {
            frame_max: frame_max.unwrap_or(usize::MAX),
            user: address.user().unwrap_or("guest").to_owned(),
            connection,
            channel,
            target,
        })
    }

    /// Hands one message to the connection; `Err` where it was not, or may not have been, sent.
    async fn publish(&self, message: &Message) -> Result<(Published, PublisherConfirm)> {
        let (properties, body) = outgoing(message, &self.user, self.frame_max)?;
        let routing_key = self.target.routing_key(message)?;
        if !self.channel.status().connected() {
            return Err(gone());
        }
        let options = BasicPublishOptions {
            mandatory: true,
            immediate: false,
        };
        let sent = self.channel.basic_publish(
            self.target.exchange(),
            routing_key.clone(),
            options,
            &body,
            properties.clone(),
        );
        let confirm = sent.await.map_err(|error| unanswered("publish", error))?;
        let published = Published {
            routing_key,
            properties,
            body,
        };
        Ok((published, confirm))
    }
}

#[async_trait]
impl Producer for AmqpProducer {
    async fn send(&mut self, batch: Vec<Message>) -> Vec<Result<()>> {
        let (mut results, in_doubt) = self.publish_all(&batch).await;
        if in_doubt {
            self.publish_one_by_one(&batch, &mut results).await;
        }
        results
    }

    async fn close(&mut self) -> Result<()> {
        close(&self.connection).await
    }
}

impl AmqpProducer {
    /// Publishes all of a batch before it waits for the first confirm. The flag says that one of the
    /// messages cost others their answer, and only sending them alone tells which.
    async fn publish_all(&self, batch: &[Message]) -> (Vec<Result<()>>, bool) {
        let mut published = Vec::with_capacity(batch.len());
        let mut confirms = Vec::with_capacity(batch.len());
        for message in batch {
            match self.publish(message).await {
                Ok((sent, confirm)) => {
                    published.push(Some(sent));
                    confirms.push(Ok(confirm));
                }
                Err(error) => {
                    published.push(None);
                    confirms.push(Err(error));
                }
            }
        }
        let mut results = Vec::with_capacity(batch.len());
        let (mut returned, mut in_doubt) = (Vec::new(), false);
        for confirm in confirms {
            let confirmed = match confirm {
                Ok(confirm) => confirm.await.map_err(|cause| {
                    in_doubt |= is_of_the_channel(&cause);
                    unanswered("publish", cause)
                }),
                Err(error) => Err(error),
            };
            results.push(confirmed.and_then(|confirmation| {
                let result = taken(&confirmation);
                returned.extend(confirmation.take_message());
                result
            }));
        }
        let places = places(&published, &returned);
        if places.len() < returned.len() {
            in_doubt = true;
            for result in results.iter_mut().filter(|result| result.is_ok()) {
                *result = Err(came_back_changed());
            }
        }
        for place in places {
            results[place] = Err(self.unroutable(published[place].as_ref()));
        }
        (results, in_doubt)
    }

    /// Publishes again, one at a time, what was not answered: so the one that the broker closes the
    /// channel for, or returns, is known, and refused without the others. Where the connection is
    /// gone too, the rest keeps its results.
    async fn publish_one_by_one(&mut self, batch: &[Message], results: &mut [Result<()>]) {
        for (message, result) in batch.iter().zip(results) {
            if !result.as_ref().is_err_and(is_unanswered) {
                continue;
            }
            if !self.channel.status().connected() {
                let opening = confirming(&self.connection, &self.target);
                let Ok(channel) = in_time("open a channel", opening).await else {
                    return;
                };
                self.channel = channel;
            }
            *result = self.publish_alone(message).await;
        }
    }

    async fn publish_alone(&self, message: &Message) -> Result<()> {
        let (published, confirm) = self.publish(message).await?;
        let confirmation = confirm.await.map_err(|cause| {
            if is_of_the_channel(&cause) {
                failure("publish", cause)
            } else {
                unanswered("publish", cause)
            }
        })?;
        let result = taken(&confirmation);
        match confirmation.take_message() {
            Some(_) => Err(self.unroutable(Some(&published))),
            None => result,
        }
    }

    fn unroutable(&self, message: Option<&Published>) -> Error {
        let key = message
            .map(|message| message.routing_key.as_str())
            .unwrap_or_default();
        let message = match &self.target {
            Target::Queue(queue) => format!("the queue `{queue}` is gone"),
            Target::Exchange { name, .. } => {
                format!("no queue is bound to the exchange `{name}` for the key `{key}`")
            }
        };
        Error::new(ErrorKind::Permanent, "publish", message)
    }
}

/// Opens a channel in confirm mode.
async fn confirming(connection: &Connection, target: &Target) -> Result<Channel> {
    let channel = look(connection, target).await?;
    let confirms = channel
        .confirm_select(ConfirmSelectOptions::default())
        .await;
    confirms.map_err(|error| failure("ask for confirms", error))?;
    Ok(channel)
}

fn taken(confirmation: &Confirmation) -> Result<()> {
    match confirmation {
        Confirmation::Ack(_) => Ok(()),
        Confirmation::Nack(_) => {
            let message = "the broker refused the message (nack); its queue may be full";
            Err(Error::new(ErrorKind::Transient, "publish", message))
        }
        Confirmation::NotRequested => {
            let message = "the broker does not confirm";
            Err(Error::new(ErrorKind::Unknown, "publish", message))
        }
    }
}

fn gone() -> Error {
    Error::new(ErrorKind::Disconnected, "publish", "the channel is closed")
}

fn came_back_changed() -> Error {
    let message = "the broker returned a message of the batch changed, so it is not known which";
    Error::new(ErrorKind::Unknown, "publish", message)
}

/// Whether it is not known that the broker has, or refused, the message.
fn is_unanswered(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unknown | ErrorKind::Disconnected)
}
