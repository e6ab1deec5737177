//! The native store: a journal of commits in a directory, and segments behind it.
//!
//! [`NativeStore::submit`](Store::submit) gives a commit its place and its octets under one lock;
//! one thread writes what gathered and syncs it once for all who wait. Another moves what is still
//! needed of the journal's older files into segments, so that memory and recovery follow the
//! journal's size and not the backlog's. Reading goes past both.

mod accept;
mod accepted;
mod ahead;
mod changes;
mod checkpoint;
mod contents;
mod directory;
mod files;
mod flush;
mod footing;
mod header;
mod index;
pub mod inspect;
mod journal;
mod log;
mod lookup;
mod loss;
mod marks;
mod mended;
mod options;
mod origin;
mod ownership;
mod pending;
mod piece;
mod position;
mod reader;
mod record;
mod recovery;
mod repair;
mod reserve;
mod runs;
mod scan;
mod segment;
mod shared;
mod snapshot;
mod space;
mod state;
mod step;
mod sums;
mod tail;
#[cfg(test)]
mod tests;
mod thin;
mod vfs;
mod window;
mod writer;

use std::{path::Path, sync::Arc, thread::JoinHandle};

pub use accept::{GivenUp, accept_loss};
use async_trait::async_trait;
use bytes::Bytes;
pub use options::StoreOptions;
use parking_lot::Mutex;
use standpipe_core::{
    entry::Entry,
    error::{Error, ErrorKind, Result},
    id::{CursorId, LogId, Millis, Offset},
    store::{
        AppendsRefused, Commit, CommitSeq, Durability, Keep, LogBounds, ReadLimit, Store, Submitted,
    },
};

use self::{
    changes::Changes,
    directory::Directory,
    flush::Flusher,
    log::Log,
    ownership::{Lock, check_format},
    shared::{Ending, Shared},
    sums::Sums,
    vfs::Disk,
    writer::Writer,
};

/// A durable [`Store`] in a directory, for one process at a time.
pub struct NativeStore {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl NativeStore {
    /// Opens the store in `directory`, which is made where it does not exist, and recovers what
    /// is in it. Blocks while it reads the journal; call it before the runtime is busy, or
    /// through `spawn_blocking`.
    ///
    /// # Errors
    /// `Denied` where another process has the directory (its pid is named), `Unsupported` for an
    /// unknown format version, `Corrupt` for damage that cannot be isolated, `Permanent` where the
    /// directory cannot be used.
    pub fn open(directory: impl AsRef<Path>, options: StoreOptions) -> Result<Arc<Self>> {
        let path = directory.as_ref();
        let directory = Directory::open(path).map_err(|error| {
            let message = format!("cannot use the directory {}", path.display());
            Error::new(ErrorKind::Permanent, "open store", message).with_source(error)
        })?;
        let lock = Lock::take(directory.path())?;
        check_format(directory.path())?;
        let options = options.fit(directory.total());
        Self::start(Arc::new(directory), Some(lock), &options)
    }

    fn start(disk: Arc<dyn Disk>, lock: Option<Lock>, options: &StoreOptions) -> Result<Arc<Self>> {
        let recovered = recovery::recover(&*disk).or_else(|error| {
            // Some file systems take new blocks for what is written in place.
            match reserve::is_wanted(&error) && reserve::give_up(&*disk) {
                true => recovery::recover(&*disk),
                false => Err(error),
            }
        })?;
        let facts = recovered.facts;
        let checkpoint = (recovered.checkpoint, recovered.next_checkpoint);
        let shared = Arc::new(Shared::new(disk, recovered, lock, options));
        let writer = Writer::new(shared.clone());
        let flusher = Flusher::new(shared.clone(), facts, checkpoint, options.thinning);
        let thread = start_thread("journal", move || writer.run())?;
        let store = Self {
            shared,
            writer: Mutex::new(Some(thread)),
        };
        start_thread("segments", move || flusher.run())?;
        Ok(Arc::new(store))
    }

    /// Octets that were submitted and are not written yet.
    pub fn unwritten(&self) -> usize {
        self.shared.state.lock().pending.unwritten
    }

    /// Runs what blocks on a disk where that harms nobody.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let shared = self.shared.clone();
        let reading = tokio::task::spawn_blocking(move || work(&shared));
        reading.await.map_err(|error| {
            Error::new(ErrorKind::Transient, "read log", "the read was given up").with_source(error)
        })?
    }
}

fn start_thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    let started = std::thread::Builder::new().name(name.into()).spawn(work);
    started.map_err(|error| {
        let message = format!("cannot start the thread `{name}`");
        Error::new(ErrorKind::Permanent, "open store", message).with_source(error)
    })
}

#[async_trait]
impl Store for NativeStore {
    fn submit(&self, commit: Commit) -> Result<Submitted> {
        let sums = Sums::of(&commit.ops);
        self.shared.change(|state| state.submit(commit, sums))
    }

    async fn durable(&self, seq: CommitSeq, level: Durability) -> Result<()> {
        if level == Durability::Disk {
            let mut state = self.shared.state.lock();
            if state.sync_wanted < seq.0 {
                state.sync_wanted = seq.0.min(state.contents.seq);
                self.shared.wake.notify_one();
            }
        }
        match level {
            Durability::Memory => Ok(()),
            Durability::Os => self.shared.written.wait(seq.0).await,
            Durability::Disk => self.shared.synced.wait(seq.0).await,
        }
    }

    fn leader_epoch(&self) -> u32 {
        self.shared.state.lock().pending.incarnation()
    }

    async fn read(&self, log: LogId, from: Offset, limit: ReadLimit) -> Result<Vec<Entry>> {
        let plan = self.shared.plan(log, from, limit)?;
        if let Some(entries) = lookup::read_now(&self.shared, log, &plan, (from, limit)) {
            return Ok(entries);
        }
        self.blocking(move |shared| lookup::read(shared, log, plan, (from, limit)))
            .await
    }

    async fn bounds(&self, log: LogId) -> Result<LogBounds> {
        let state = self.shared.state.lock();
        Ok(state
            .contents
            .logs
            .get(&log)
            .map(Log::bounds)
            .unwrap_or_default())
    }

    async fn trim_point(&self, log: LogId, keep: Keep) -> Result<Offset> {
        self.blocking(move |shared| lookup::trim_point(shared, log, keep))
            .await
    }

    async fn entry_for_time(&self, log: LogId, at: Millis) -> Result<Option<Entry>> {
        self.blocking(move |shared| lookup::entry_for_time(shared, log, at))
            .await
    }

    async fn get(&self, key: Bytes) -> Result<Option<Bytes>> {
        Ok(self.shared.state.lock().contents.keys.get(&key).cloned())
    }

    async fn scan(&self, prefix: Bytes) -> Result<Vec<(Bytes, Bytes)>> {
        let state = self.shared.state.lock();
        let from = state.contents.keys.range(prefix.clone()..);
        Ok(from
            .take_while(|(key, _)| key.starts_with(&prefix))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect())
    }

    async fn cursor(&self, cursor: CursorId) -> Result<Vec<Bytes>> {
        let state = self.shared.state.lock();
        let changes = state.contents.cursors.get(&cursor);
        Ok(changes.map(Changes::to_vec).unwrap_or_default())
    }

    fn damage(&self, log: LogId) -> Option<Error> {
        let state = self.shared.state.lock();
        state.contents.logs.get(&log)?.loss().refusal(log)
    }

    fn appends_refused(&self) -> AppendsRefused {
        self.shared.state.lock().told.subscribe().into()
    }

    async fn failed(&self) -> Error {
        match self.shared.ended.wait(1).await {
            Err(error) => error,
            Ok(()) => std::future::pending().await,
        }
    }

    async fn close(&self) -> Result<()> {
        self.shared.end(Ending::Closed);
        self.shared.ended.wait(1).await
    }
}

impl Drop for NativeStore {
    /// Writes what was submitted and gives the directory free.
    fn drop(&mut self) {
        self.shared.end(Ending::Dropped);
        if let Some(writer) = self.writer.lock().take() {
            // A writer that panicked has said so on stderr; there is nothing left to do about it.
            drop(writer.join());
        }
    }
}

impl std::fmt::Debug for NativeStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NativeStore").finish_non_exhaustive()
    }
}
