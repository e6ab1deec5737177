//! The publishing side of a stream.

use tokio::sync::mpsc;

use super::{
    CHANNEL_DEPTH, Destination, Outcome, Publication, PublishRequest, Published,
    batch::{Group, group_by_partition, one_by_one},
};
use crate::{
    broker::{Broker, Confirm, DEFAULT_NAMESPACE, LaneId, Publish, Target},
    entry::{Draft, Overlay},
    error::{Error, ErrorKind, Result},
    id::{Millis, Offset, PartitionId},
    message::{Headers, Message, Text},
    native::NativeCodec,
    store::Durability,
};

/// Publishes what comes in `requests`, and answers every message in order, once it is as durable
/// as asked. Ends when the requests end and all are answered, or when nobody takes the outcomes.
///
/// Not cancel safe: what was taken and not answered may have been published.
///
/// # Errors
/// `Invalid` where the first request names no destination; what came before it is answered.
pub async fn publish(
    broker: &Broker,
    requests: mpsc::Receiver<PublishRequest>,
    outcomes: mpsc::Sender<Vec<Outcome>>,
) -> Result<()> {
    let (sender, receiver) = mpsc::channel(CHANNEL_DEPTH);
    let submitting = submit_all(broker, requests, sender);
    let answering = answer_all(receiver, outcomes);
    tokio::join!(submitting, answering).0
}

async fn submit_all(
    broker: &Broker,
    mut requests: mpsc::Receiver<PublishRequest>,
    pending: mpsc::Sender<Pending>,
) -> Result<()> {
    let mut publisher = Publisher {
        broker,
        lane: LaneId(broker.new_owner().0),
        destination: None,
        durability: None,
    };
    while let Some(request) = requests.recv().await {
        let submitted = publisher.submit(request).await?;
        if pending.send(submitted).await.is_err() {
            break;
        }
    }
    Ok(())
}

async fn answer_all(mut pending: mpsc::Receiver<Pending>, outcomes: mpsc::Sender<Vec<Outcome>>) {
    while let Some(submitted) = pending.recv().await {
        let answered = submitted.wait().await;
        if !answered.is_empty() && outcomes.send(answered).await.is_err() {
            break;
        }
    }
}

struct Publisher<'a> {
    broker: &'a Broker,
    lane: LaneId,
    destination: Option<Destination>,
    durability: Option<Durability>,
}

/// A request that has its place, and what it waits for.
struct Pending {
    outcomes: Vec<Outcome>,
    confirms: Vec<(Confirm, Vec<usize>)>,
}

impl Publisher<'_> {
    async fn submit(&mut self, request: PublishRequest) -> Result<Pending> {
        self.durability = request.durability.or(self.durability);
        self.destination = request.destination.or(self.destination.take());
        let destination = self.destination.clone().ok_or_else(no_destination)?;
        let mut pending = Pending::new(&request.messages);
        let mut accepted = Vec::with_capacity(request.messages.len());
        for (place, publication) in request.messages.into_iter().enumerate() {
            match self.check(&publication.message) {
                Ok(()) => accepted.push((place, publication.message)),
                Err(error) => pending.failed(&[place], &error),
            }
        }
        for group in self.groups(&destination, accepted, &mut pending).await {
            let places = group.places.clone();
            match self.publish(&destination, group).await {
                Ok(published) => pending.published(places, published),
                Err(error) => pending.failed(&places, &error),
            }
        }
        Ok(pending)
    }

    /// Messages as entries. A topic is brought into being first; where that fails, so do they.
    async fn groups(
        &self,
        destination: &Destination,
        accepted: Vec<(usize, Message)>,
        pending: &mut Pending,
    ) -> Vec<Group> {
        let Destination::Topic(name) = destination else {
            return one_by_one(accepted);
        };
        match self.broker.ensure_topic(DEFAULT_NAMESPACE, name).await {
            // On a compacted topic each message goes by itself.
            Ok(topic) if topic.retention().compaction().is_some() => one_by_one(accepted),
            Ok(topic) => group_by_partition(accepted, topic.partition_count(), self.lane),
            Err(error) => {
                let places: Vec<_> = accepted.iter().map(|(place, _)| *place).collect();
                pending.failed(&places, &error);
                Vec::new()
            }
        }
    }

    async fn publish(
        &self,
        destination: &Destination,
        group: Group,
    ) -> Result<crate::broker::Published> {
        let admission = self.broker.admit(group.bytes()).await?;
        let no_headers = Headers::default();
        let headers = group.messages.first().map_or(&no_headers, |m| &m.headers);
        let target = match destination {
            Destination::Topic(name) => Target::Topic(name),
            Destination::Exchange { exchange, key } => Target::Exchange {
                exchange,
                key: key.as_bytes(),
                more_keys: &[],
                headers,
            },
        };
        self.broker.publish(Publish {
            namespace: DEFAULT_NAMESPACE,
            target,
            draft: draft(&group.messages, destination),
            key: group.key(),
            lane: self.lane,
            durability: self.durability,
            admission,
        })
    }

    fn check(&self, message: &Message) -> Result<()> {
        let refused = |kind, text: String| Err(Error::new(kind, "publish", text));
        let (size, limit) = (message.size(), self.broker.limits().message_bytes);
        if size > limit {
            let text = format!("a message of {size} octets; the limit is {limit}");
            return refused(ErrorKind::TooLarge, text);
        }
        message.check_parts("publish")
    }
}

impl Pending {
    fn new(messages: &[Publication]) -> Self {
        let outcomes = messages.iter().map(|publication| Outcome {
            sequence: publication.sequence,
            result: Ok(Published::default()),
        });
        Self {
            outcomes: outcomes.collect(),
            confirms: Vec::new(),
        }
    }

    fn failed(&mut self, places: &[usize], error: &Error) {
        for place in places {
            self.outcomes[*place].result = Err(error.clone());
        }
    }

    fn published(&mut self, places: Vec<usize>, published: crate::broker::Published) {
        let routed = u32::try_from(published.routed).unwrap_or(u32::MAX);
        let first = published.place.filter(|_| routed == 1);
        for (index, place) in places.iter().enumerate() {
            self.outcomes[*place].result = Ok(Published {
                routed,
                placed: first.map(|first| nth(first, index)),
            });
        }
        self.confirms.push((published.confirm, places));
    }

    async fn wait(mut self) -> Vec<Outcome> {
        for (confirm, places) in std::mem::take(&mut self.confirms) {
            if let Err(error) = confirm.await {
                self.failed(&places, &error);
            }
        }
        self.outcomes
    }
}

fn nth((partition, first): (PartitionId, Offset), index: usize) -> (PartitionId, Offset) {
    (partition, first.plus(index as u64))
}

fn draft(messages: &[Message], destination: &Destination) -> Draft {
    let [message] = messages else {
        return NativeCodec::encode_batch(messages);
    };
    let mut draft = NativeCodec::encode(message);
    draft.fields.expires_at = expires_at(message, Millis::now());
    if let Destination::Exchange { exchange, key } = destination {
        let overlay = Overlay {
            exchange: Some(Text::from(exchange.as_str())),
            routing_key: Some(Text::from(key.as_str())),
            ..Overlay::default()
        };
        draft.fields.overlay = Some(overlay.encode());
    }
    draft
}

/// A time to live is counted from when the message can be delivered.
fn expires_at(message: &Message, now: Millis) -> Option<Millis> {
    let props = &message.props;
    let from = props.deliver_at.unwrap_or(now).max(now);
    props
        .ttl
        .map(|ttl| Millis(from.0.saturating_add_unsigned(ttl)))
}

fn no_destination() -> Error {
    let message = "the first publish names no destination; use `/TOPIC` or `?exchange=E&key=K`";
    Error::new(ErrorKind::Invalid, "publish", message)
}
