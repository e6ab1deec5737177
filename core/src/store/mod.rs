//! The store seam: logs, cursors and compare-and-set keys, with atomic commits.
//!
//! A store gives every commit its place in one order before [`Store::submit`] returns; becoming
//! durable comes later, in that same order. So what a crash takes is always a suffix.

mod appends;
mod commit;
mod durability;
mod layer;
mod memory;
mod watermark;

pub use appends::AppendsRefused;
pub use commit::{Commit, CommitSeq, Epoch, Expect, Op, Placed, Submitted};
pub use durability::Durability;
pub use layer::{Layered, StoreLayer};
pub use memory::MemoryStore;
pub use watermark::Watermark;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    entry::Entry,
    error::{Error, Result},
    id::{CursorId, LogId, Millis, Offset},
};

/// Where logs live. One process owns a store at a time; a later owner's epoch fences it.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Takes a commit: all of it or none. Its place in the order is fixed when this returns, and
    /// [`Store::read`] sees it; it never waits for a disk or a network.
    ///
    /// # Errors
    /// `Conflict` where a [`Op::PutIf`] does not match or the epoch is fenced, `Throttled` where
    /// too much waits to be written or the disk is full, `Transient` where the medium refuses writes,
    /// `Corrupt` for a damaged log, `Closed` after [`Store::close`] or a failed sync.
    fn submit(&self, commit: Commit) -> Result<Submitted>;

    /// Waits until everything up to `seq` is as durable as `level`, which may be higher than its
    /// commit asked for: asking for it here makes the store see to it. Cancel-safe.
    ///
    /// # Errors
    /// `Unknown` where the write or sync that covers it failed: it may or may not be there later.
    async fn durable(&self, seq: CommitSeq, level: Durability) -> Result<()>;

    /// Entries from the one that covers `from` on, in order; at least one if there is any. Where
    /// that one was forgotten, or all of it from `from` on, from the next one that is there: offsets
    /// may have holes.
    ///
    /// # Errors
    /// `NotFound` below the log's start or beyond its end, `Corrupt` for damage (file and offset named).
    async fn read(&self, log: LogId, from: Offset, limit: ReadLimit) -> Result<Vec<Entry>>;

    /// Start and end of a log; both zero for one that was never written.
    async fn bounds(&self, log: LogId) -> Result<LogBounds>;

    /// How far a log can be trimmed so that what `keep` says stays: never too far, possibly less
    /// far than it could be. Takes no time in proportion to the log.
    async fn trim_point(&self, log: LogId, keep: Keep) -> Result<Offset>;

    /// The first entry whose time (`created` maximum, else `appended`) is at or after `at`.
    async fn entry_for_time(&self, log: LogId, at: Millis) -> Result<Option<Entry>>;

    /// The value of a key.
    async fn get(&self, key: Bytes) -> Result<Option<Bytes>>;

    /// Keys that begin with `prefix`, in order, with their values.
    async fn scan(&self, prefix: Bytes) -> Result<Vec<(Bytes, Bytes)>>;

    /// A cursor's last snapshot and the changes since, in order; empty where there is none.
    async fn cursor(&self, cursor: CursorId) -> Result<Vec<Bytes>>;

    /// Why a log takes no appends and nothing is leased from it: what somebody needs of it is damaged
    /// or gone (file and offsets named). What is whole can be read. By default no log is.
    fn damage(&self, _log: LogId) -> Option<Error> {
        None
    }

    /// Tells when the store takes no appends for some time, as for a full disk, and when that ends.
    /// That too much waits to be written is not told: it passes by itself. By default nothing is.
    fn appends_refused(&self) -> AppendsRefused {
        AppendsRefused::default()
    }

    /// Returns once the store has failed in a way that only opening it again can end, a sync for
    /// one, and another can be opened in its place; never for a store that cannot. Cancel-safe.
    async fn failed(&self) -> Error {
        std::future::pending().await
    }

    /// The leader epoch of what is appended now: at least that of every entry there is, and larger
    /// than it was before a suffix was lost. By default 0, of a store that gives all entries that.
    fn leader_epoch(&self) -> u32 {
        0
    }

    /// Makes everything durable and refuses what comes after. Idempotent.
    async fn close(&self) -> Result<()>;
}

/// How much one read returns at most; the first entry comes whatever its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimit {
    /// Octets of bodies.
    pub bytes: usize,
    /// Entries.
    pub entries: usize,
}

/// A log's ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogBounds {
    /// The first offset that can be read.
    pub start: Offset,
    /// The offset that the next entry gets.
    pub end: Offset,
    /// Octets of the bodies in between; what was trimmed a moment ago may still count.
    pub octets: u64,
}

/// What stays when a log is trimmed by its policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The newest entries, up to this many octets of bodies.
    Octets(u64),
    /// Entries appended at or after this time.
    Since(Millis),
}
