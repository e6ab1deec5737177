//! The publish path: route, take a place in the log, confirm once durable and visible.

use std::{iter, sync::Arc};

use smallvec::SmallVec;

use super::{
    Admission, Broker, Confirm, Topic,
    delay::waits_until,
    place::{Stop, Stops},
};
use crate::{
    entry::Draft,
    error::{Error, ErrorKind, Result},
    id::{Millis, Offset, PartitionId},
    message::{Headers, Text},
    partitioner::{murmur2, partition_of},
    store::Durability,
};

/// One publishing channel or stream; its messages without a key stay in one partition, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct LaneId(pub u64);

/// Where a publish goes.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// A topic.
    Topic(&'a str),
    /// An exchange, which routes by key and headers; `""` is the default one.
    Exchange {
        /// The exchange's name.
        exchange: &'a str,
        /// The routing key.
        key: &'a [u8],
        /// Further ones: it goes once to each topic that any of them leads to.
        more_keys: &'a [Text],
        /// Headers, for a headers exchange.
        headers: &'a Headers,
    },
}

/// A message, or a batch for one partition, to be published.
#[derive(Debug)]
pub struct Publish<'a> {
    /// The namespace.
    pub namespace: &'a str,
    /// Where it goes.
    pub target: Target<'a>,
    /// The entry.
    pub draft: Draft,
    /// The message's key, which chooses the partition.
    pub key: Option<&'a [u8]>,
    /// Chooses the partition where there is no key.
    pub lane: LaneId,
    /// What the confirm waits for; where the protocol is silent, each topic's own.
    pub durability: Option<Durability>,
    /// Room that it takes until it is durable.
    pub admission: Admission,
}

/// A publish that has its place in every topic it was routed to.
#[derive(Debug)]
pub struct Published {
    /// How many topics it went to; 0 is unroutable.
    pub routed: usize,
    /// The place in the first of them; none for what is to be delivered later.
    pub place: Option<(PartitionId, Offset)>,
    /// Resolves once it is durable, and readers can see it.
    pub confirm: Confirm,
}

impl Broker {
    /// Publishes: one commit however many targets. The order of calls is the order in each log.
    ///
    /// # Errors
    /// `NotFound` for a topic or exchange that does not exist, `Denied` for an internal exchange,
    /// `TooLarge` above the limit of message size, a topic's or the broker's, `Invalid` without a key to a compacted topic, and the
    /// store's: then nothing was published.
    pub fn publish(&self, publish: Publish<'_>) -> Result<Published> {
        self.check_size(&publish.draft)?;
        let stops = self.stops(&publish)?;
        let Some(first) = stops.first() else {
            return Ok(Published {
                routed: 0,
                place: None,
                confirm: Confirm::ready(),
            });
        };
        let (at, routed) = (first.at, stops.len());
        for stop in &stops {
            stop.topic.check_fits(&publish.draft)?;
            self.check_keyed(&stop.topic, &publish.draft)?;
        }
        let level = publish.durability.unwrap_or_else(|| default_level(&stops));
        if let Some(due) = waits_until(&publish.draft, Millis::now()) {
            let (draft, admission) = (&publish.draft, publish.admission);
            return Ok(Published {
                routed,
                place: None,
                confirm: self.submit_delayed(stops, draft, due, level, admission)?,
            });
        }
        let (base, confirm) = self.submit_all(stops, publish.draft, level, publish.admission)?;
        Ok(Published {
            routed,
            place: Some((at, base)),
            confirm,
        })
    }

    fn stops(&self, publish: &Publish<'_>) -> Result<Stops> {
        let state = self.inner.state.read();
        let topic = |name: &str| state.topic(publish.namespace, name);
        let mut topics: SmallVec<[Arc<Topic>; 4]> = SmallVec::new();
        match &publish.target {
            Target::Topic(name) => {
                topics.push(topic(name).ok_or_else(|| no_topic(publish.namespace, name))?);
            }
            Target::Exchange {
                exchange: "",
                key,
                more_keys: [],
                ..
            } => {
                topics.extend(std::str::from_utf8(key).ok().and_then(topic));
            }
            Target::Exchange {
                exchange,
                key,
                more_keys,
                headers,
            } => {
                let router = state.router(publish.namespace)?;
                let mut names = Vec::new();
                let more_keys = more_keys.iter().map(|key| &key.as_bytes()[..]);
                let keys: SmallVec<[_; 4]> = iter::once(*key).chain(more_keys).collect();
                router.route(exchange, &keys, headers, &mut names)?;
                topics.extend(names.iter().filter_map(|name| topic(name)));
            }
        }
        drop(state);
        let hash = publish.key.map(murmur2).or(publish.draft.fields.key_hash);
        let stops = topics.into_iter().map(|topic| {
            let count = topic.partition_count();
            let lane = PartitionId((publish.lane.0 % u64::from(count.max(1))) as u32);
            let at = hash.map_or(lane, |hash| partition_of(hash, count));
            let partition = topic.partition(at)?;
            Ok(Stop {
                topic,
                at,
                partition,
            })
        });
        stops.collect()
    }
}

fn default_level(stops: &Stops) -> Durability {
    let levels = stops.iter().map(|stop| stop.topic.durability());
    levels.max().unwrap_or_default()
}

pub(super) fn no_topic(namespace: &str, name: &str) -> Error {
    let message = format!("no topic `{name}` in namespace `{namespace}`");
    Error::new(ErrorKind::NotFound, "find topic", message)
}
