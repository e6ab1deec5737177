//! Which messages of a request become one entry.

use std::collections::HashMap;

use crate::{
    broker::LaneId,
    id::PartitionId,
    message::{Message, PARTS_LIMIT},
    partitioner::{murmur2, partition_of},
};

/// Octets of one entry, unless a single message is larger.
const ENTRY_BYTES: usize = 1 << 20;
/// Messages of one entry.
const ENTRY_MESSAGES: usize = 4096;

/// Messages of one partition that are stored as one entry, each with its place in the request.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Group {
    pub(super) places: Vec<usize>,
    pub(super) messages: Vec<Message>,
    bytes: usize,
    parts: usize,
}

impl Group {
    /// The key that leads to the group's partition.
    pub(super) fn key(&self) -> Option<&[u8]> {
        self.messages
            .first()
            .and_then(|message| message.key.as_deref())
    }

    /// Octets of all messages.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn takes(&self, message: &Message) -> bool {
        self.messages.len() < ENTRY_MESSAGES
            && self.bytes.saturating_add(message.size()) <= ENTRY_BYTES
            && self.parts.saturating_add(message.parts()) <= PARTS_LIMIT
            && !self.messages.iter().any(stands_alone)
            && !stands_alone(message)
    }

    fn push(&mut self, place: usize, message: Message) {
        self.bytes = self.bytes.saturating_add(message.size());
        self.parts = self.parts.saturating_add(message.parts());
        self.places.push(place);
        self.messages.push(message);
    }
}

/// Groups messages by partition. Published in the order returned, every partition has its messages
/// in the order given.
pub(super) fn group_by_partition(
    messages: impl IntoIterator<Item = (usize, Message)>,
    partitions: u32,
    lane: LaneId,
) -> Vec<Group> {
    let mut groups = Vec::<Group>::new();
    let mut open = HashMap::<PartitionId, usize>::new();
    for (place, message) in messages {
        let partition = partition(&message, partitions, lane);
        let at = match open.get(&partition) {
            Some(at) if groups[*at].takes(&message) => *at,
            _ => {
                groups.push(Group::default());
                open.insert(partition, groups.len() - 1);
                groups.len() - 1
            }
        };
        groups[at].push(place, message);
    }
    groups
}

/// Every message by itself, in order.
pub(super) fn one_by_one(messages: impl IntoIterator<Item = (usize, Message)>) -> Vec<Group> {
    let messages = messages.into_iter().map(|(place, message)| {
        let mut group = Group::default();
        group.push(place, message);
        group
    });
    messages.collect()
}

/// What the broker must know of a message without decoding it is kept for entries of one message.
fn stands_alone(message: &Message) -> bool {
    let props = &message.props;
    props.priority.is_some() || props.ttl.is_some() || props.deliver_at.is_some()
}

fn partition(message: &Message, partitions: u32, lane: LaneId) -> PartitionId {
    let count = u64::from(partitions.max(1));
    let of_lane = PartitionId(u32::try_from(lane.0 % count).unwrap_or_default());
    let hash = message.key.as_deref().map(murmur2);
    hash.map_or(of_lane, |hash| partition_of(hash, partitions))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::message::Value;

    fn numbered(keys: &[Option<u8>]) -> Vec<(usize, Message)> {
        let messages = keys.iter().enumerate().map(|(place, key)| {
            let mut message = Message::new("x");
            message.key = key.map(|key| vec![key].into());
            message.props.priority = (place % 7 == 3).then_some(1);
            (place, message)
        });
        messages.collect()
    }

    proptest! {
        #[test]
        fn every_partition_keeps_its_order_and_every_message_its_place(
            keys in prop::collection::vec(any::<Option<u8>>(), 0..60),
            partitions in 1u32..5,
            lane: u64,
        ) {
            let lane = LaneId(lane);
            let groups = group_by_partition(numbered(&keys), partitions, lane);
            let mut last = HashMap::new();
            let mut seen = 0;
            for group in &groups {
                let at = partition(&group.messages[0], partitions, lane);
                for (place, message) in group.places.iter().zip(&group.messages) {
                    prop_assert_eq!(partition(message, partitions, lane), at);
                    prop_assert!(last.insert(at, *place).is_none_or(|before| before < *place));
                    seen += 1;
                }
                let alone = group.messages.iter().any(stands_alone);
                prop_assert!(!alone || group.messages.len() == 1);
            }
            prop_assert_eq!(seen, keys.len());
        }
    }

    #[test]
    fn a_batch_for_one_partition_is_one_entry() {
        let messages = (0..100).map(|place| (place, Message::new("x")));
        assert_eq!(group_by_partition(messages, 8, LaneId(5)).len(), 1);
    }

    #[test]
    fn an_entry_stays_below_its_limit() {
        let messages = (0..4).map(|place| (place, Message::new(vec![0; ENTRY_BYTES / 2])));
        assert_eq!(group_by_partition(messages, 1, LaneId(0)).len(), 2);
    }

    #[test]
    fn an_entry_stays_below_the_limit_of_what_is_decoded_together() {
        let headers = std::iter::repeat_n(("".into(), Value::Null), PARTS_LIMIT / 4);
        let message = Message {
            headers: headers.collect(),
            ..Message::default()
        };
        let messages = (0..3).map(|place| (place, message.clone()));
        assert_eq!(group_by_partition(messages, 1, LaneId(0)).len(), 3);
    }
}
