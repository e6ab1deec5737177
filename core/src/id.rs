//! Identities and positions, each its own type so that they cannot be mixed up.

use std::{fmt, sync::OnceLock};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use uuid::Uuid;

/// A position in a partition's log. Assigned densely from 0, one for each message or control record.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Offset(pub u64);

impl Offset {
    /// The first offset of every log.
    pub const ZERO: Self = Self(0);

    /// The offset `n` further on.
    ///
    /// # Panics
    /// When the sum leaves the 64-bit range, which no log reaches.
    #[must_use]
    pub fn plus(self, n: u64) -> Self {
        Self(self.0.checked_add(n).expect("offset overflow"))
    }

    /// The next offset.
    #[must_use]
    pub fn next(self) -> Self {
        self.plus(1)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a partition within its topic, from 0.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct PartitionId(pub u32);

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A topic's identity for life; a name that is deleted and created again gets a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TopicId(pub Uuid);

impl TopicId {
    /// A new, random identity.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

/// A subscription's identity for life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SubscriptionId(pub Uuid);

impl SubscriptionId {
    /// A new, random identity.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

/// One partition's log in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId {
    /// The topic that the log belongs to.
    pub topic: TopicId,
    /// The partition within the topic.
    pub partition: PartitionId,
}

/// One subscription's cursor on one partition, in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CursorId {
    /// The subscription that the cursor belongs to.
    pub subscription: SubscriptionId,
    /// The partition that it walks.
    pub partition: PartitionId,
}

/// Milliseconds since the Unix epoch, UTC; negative before 1970, as Kafka's clients may send.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Millis(pub i64);

impl Millis {
    /// The system's wall clock. Only shells call this: state machines are told the time.
    pub fn now() -> Self {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// A clock for deadlines in this process: the wall clock as it was when first asked, and the time
    /// since by the monotonic clock. Whoever sets the system's clock ends no lease by it.
    pub fn steady() -> Self {
        static BEGAN: OnceLock<(Instant, Millis)> = OnceLock::new();
        let (began, wall) = BEGAN.get_or_init(|| (Instant::now(), Self::now()));
        wall.after(began.elapsed())
    }

    /// This time and `wait` more; the end of time where that overflows.
    #[must_use]
    pub fn after(self, wait: std::time::Duration) -> Self {
        let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(wait))
    }
}
