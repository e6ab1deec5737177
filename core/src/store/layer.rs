//! A store in front of another: quotas, measurements and faults are layers, not flags of a store.

use std::ops::Deref;

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    AppendsRefused, Commit, CommitSeq, Durability, Keep, LogBounds, ReadLimit, Store, Submitted,
};
use crate::{
    entry::Entry,
    error::{Error, Result},
    id::{CursorId, LogId, Millis, Offset},
};

/// What happens before the store behind it is asked, or instead of that: each method means what the
/// one of [`Store`] means, and passes on to [`StoreLayer::inner`] what it does not decide.
#[async_trait]
pub trait StoreLayer: Send + Sync + 'static {
    /// The store behind it.
    fn inner(&self) -> &dyn Store;

    /// See [`Store::submit`].
    fn submit(&self, commit: Commit) -> Result<Submitted> {
        self.inner().submit(commit)
    }

    /// See [`Store::durable`].
    async fn durable(&self, seq: CommitSeq, level: Durability) -> Result<()> {
        self.inner().durable(seq, level).await
    }

    /// See [`Store::read`].
    async fn read(&self, log: LogId, from: Offset, limit: ReadLimit) -> Result<Vec<Entry>> {
        self.inner().read(log, from, limit).await
    }

    /// See [`Store::appends_refused`].
    fn appends_refused(&self) -> AppendsRefused {
        self.inner().appends_refused()
    }

    /// See [`Store::failed`].
    async fn failed(&self) -> Error {
        self.inner().failed().await
    }

    /// See [`Store::close`].
    async fn close(&self) -> Result<()> {
        self.inner().close().await
    }
}

/// The store that a layer and what is behind it make together.
#[derive(Debug, Default)]
pub struct Layered<L>(pub L);

impl<L> Deref for Layered<L> {
    type Target = L;

    fn deref(&self) -> &L {
        &self.0
    }
}

#[async_trait]
impl<L: StoreLayer> Store for Layered<L> {
    fn submit(&self, commit: Commit) -> Result<Submitted> {
        self.0.submit(commit)
    }

    async fn durable(&self, seq: CommitSeq, level: Durability) -> Result<()> {
        self.0.durable(seq, level).await
    }

    async fn read(&self, log: LogId, from: Offset, limit: ReadLimit) -> Result<Vec<Entry>> {
        self.0.read(log, from, limit).await
    }

    async fn bounds(&self, log: LogId) -> Result<LogBounds> {
        self.0.inner().bounds(log).await
    }

    async fn trim_point(&self, log: LogId, keep: Keep) -> Result<Offset> {
        self.0.inner().trim_point(log, keep).await
    }

    async fn entry_for_time(&self, log: LogId, at: Millis) -> Result<Option<Entry>> {
        self.0.inner().entry_for_time(log, at).await
    }

    async fn get(&self, key: Bytes) -> Result<Option<Bytes>> {
        self.0.inner().get(key).await
    }

    async fn scan(&self, prefix: Bytes) -> Result<Vec<(Bytes, Bytes)>> {
        self.0.inner().scan(prefix).await
    }

    async fn cursor(&self, cursor: CursorId) -> Result<Vec<Bytes>> {
        self.0.inner().cursor(cursor).await
    }

    fn damage(&self, log: LogId) -> Option<Error> {
        self.0.inner().damage(log)
    }

    fn appends_refused(&self) -> AppendsRefused {
        self.0.appends_refused()
    }

    async fn failed(&self) -> Error {
        self.0.failed().await
    }

    fn leader_epoch(&self) -> u32 {
        self.0.inner().leader_epoch()
    }

    async fn close(&self) -> Result<()> {
        self.0.close().await
    }
}
