//! What a consumer asks for.

use std::time::Duration;

use crate::{
    dispatcher::Receipt,
    driver::{Settlement, StartAt},
    id::{Offset, PartitionId},
};

/// How a subscription consumes; fixed when it is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OpenMode {
    /// Work sharing.
    #[default]
    Lease,
    /// Replay.
    Positional,
    /// Lease, with one key in flight at one consumer only.
    Keyed,
}

/// The first step of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// The topic, brought into being where it is not there.
    pub topic: String,
    /// The subscription; absent is the queue in lease mode, nothing that is remembered in positional mode.
    pub group: Option<String>,
    /// How it consumes.
    pub mode: OpenMode,
    /// Where it starts when it has no position yet.
    pub from: StartAt,
    /// The credit to begin with.
    pub credit: CreditGrant,
    /// How long a lease lasts.
    pub lease: Duration,
    /// Whether to say when what was there at the opening is through.
    pub drain: bool,
}

impl Open {
    /// How long a lease lasts unless the client says otherwise.
    pub const LEASE: Duration = Duration::from_secs(30);

    /// A lease on the topic's queue from the earliest message on, without credit.
    pub fn new(topic: impl Into<String>) -> Self {
        Self {
            topic: topic.into(),
            group: None,
            mode: OpenMode::Lease,
            from: StartAt::Earliest,
            credit: CreditGrant::default(),
            lease: Self::LEASE,
            drain: false,
        }
    }
}

/// Permission to send, added to what is left of earlier grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CreditGrant {
    /// Messages.
    pub messages: u64,
    /// Octets; absent in every grant of a stream, octets are not counted.
    pub bytes: Option<u64>,
}

/// A later step of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Lets the session send more.
    Credit(CreditGrant),
    /// Settles leases; answered once that is kept.
    Settle {
        /// The client's number for it.
        sequence: u64,
        /// What to do with each.
        settlements: Vec<(Receipt, Settlement)>,
    },
    /// Moves the position; answered before anything that is read from there.
    Seek {
        /// The client's number for it.
        sequence: u64,
        /// The partition, or all of them.
        partition: Option<PartitionId>,
        /// Where to.
        to: StartAt,
    },
    /// Remembers how far the group came; answered once that is kept.
    Commit {
        /// The client's number for it.
        sequence: u64,
        /// The next offset to read of each partition.
        offsets: Vec<(PartitionId, Offset)>,
    },
}
