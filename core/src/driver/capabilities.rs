//! What a system's ends can do, declared so that a route's promise can be judged and tested.

/// How deliveries are settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settling {
    /// Each by itself, in any order; release and reject work.
    PerMessage,
    /// An ack covers everything before it in its lane; release and reject are `Unsupported`.
    Cumulative,
    /// Not at all: reading again starts over, and acks are accepted without effect.
    None,
}

/// What order messages keep from one producer to one consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ordering {
    /// All of them.
    Total,
    /// Those of one lane.
    Lane,
    /// None.
    None,
}

/// What the source knows about earlier deliveries of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redelivery {
    /// How many there were.
    Counted,
    /// Whether there was one.
    Flagged,
    /// Nothing.
    None,
}

/// Where a consumer can be moved to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seeking {
    /// To an offset, a time, and both ends.
    OffsetsAndTimes,
    /// Nowhere.
    None,
}

/// How the end of a source is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draining {
    /// By the end offsets seen at the start.
    EndOffsets,
    /// By nothing being ready twice, 500 ms apart, with nothing of ours unsettled.
    Idle,
    /// It ends by itself: a file, a pipe.
    Ends,
    /// It cannot be read.
    None,
}

/// Whether the destination drops what it has already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deduplication {
    /// Retries within one connection, by producer id and sequence.
    Connection,
    /// No: what is sent twice is there twice.
    None,
}

/// What the destination's confirmation means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirming {
    /// It survives a crash of the destination.
    Durable,
    /// It was taken; a crash may lose it.
    Accepted,
    /// It cannot be written to.
    None,
}

/// What a driver's ends can do at one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// How deliveries are settled.
    pub settling: Settling,
    /// What order they come in.
    pub ordering: Ordering,
    /// What is known about earlier deliveries.
    pub redelivery: Redelivery,
    /// Where a consumer can be moved to.
    pub seeking: Seeking,
    /// How the end is found.
    pub draining: Draining,
    /// Whether the destination drops duplicates.
    pub deduplication: Deduplication,
    /// What its confirmation means.
    pub confirming: Confirming,
}

impl Default for Capabilities {
    /// The least: nothing can be read, written, settled or relied on.
    fn default() -> Self {
        Self::NONE
    }
}

impl Capabilities {
    /// The least: nothing can be read, written, settled or relied on. Drivers start here and set
    /// what they have, so that a capability added later is not claimed by accident.
    pub const NONE: Self = Self {
        settling: Settling::None,
        ordering: Ordering::None,
        redelivery: Redelivery::None,
        seeking: Seeking::None,
        draining: Draining::None,
        deduplication: Deduplication::None,
        confirming: Confirming::None,
    };
}
