//! What a pipe's author chooses.

use std::{num::NonZeroUsize, time::Duration};

/// What order a pipe keeps while it retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// One sequence over everything: a message that is retried holds all others.
    Total,
    /// Each lane of the source by itself.
    #[default]
    Lane,
    /// Each key by itself; messages without a key as with [`Order::Lane`].
    Key,
    /// None: only the message that failed waits.
    None,
}

/// What becomes of a message that can never be sent, where no dead-letter destination is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnRefused {
    /// It alone is kept unsettled until the pipe ends, and then given back to the source. A
    /// source that settles cumulatively cannot keep one, so there the pipe stops.
    #[default]
    Hold,
    /// It is rejected at the source, which dead-letters it if it can.
    Reject,
    /// The pipe stops and says why.
    Stop,
}

/// What happens where an end cannot be opened at the very start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FirstOpen {
    /// It is tried again, as later on.
    #[default]
    Retry,
    /// The pipe ends with the error.
    Insist,
}

/// A pipe's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes received and not settled yet, with 2 KiB for each message besides its own: about what it
    /// takes in memory. Exceeded by at most one batch.
    pub bytes: usize,
    /// Messages in one batch.
    pub batch: NonZeroUsize,
    /// Batches that each transform works on at a time.
    pub overlap: NonZeroUsize,
    /// Messages that may be held; with one more the pipe stops.
    pub held: usize,
    /// How long a shutdown waits for what is under way.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 64 << 20,
            batch: NonZeroUsize::new(2_048).expect("it is not zero"),
            overlap: NonZeroUsize::new(8).expect("it is not zero"),
            held: 1_000,
            grace: Duration::from_secs(10),
        }
    }
}
