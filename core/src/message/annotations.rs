//! What a broker adds to a message on its way.

use super::Text;
use crate::id::{Millis, Offset, PartitionId};

/// Facts about one stored copy of a message. Filled by the broker, never by a producer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Annotations {
    /// The exchange that it was published to; empty text is AMQP's default exchange.
    pub exchange: Option<Text>,
    /// The routing key that it was published with.
    pub routing_key: Option<Text>,
    /// The topic that holds it.
    pub topic: Option<Text>,
    /// The partition that holds it.
    pub partition: Option<PartitionId>,
    /// Its place there.
    pub offset: Option<Offset>,
    /// Deliveries before this one that were not acked; 0 on the first.
    pub attempts: Option<u32>,
    /// When the broker stored it.
    pub appended: Option<Millis>,
}
