//! What the store's handles and its writer thread share.

use std::{sync::Arc, time::Duration};

use parking_lot::{Condvar, Mutex};
use standpipe_core::{
    error::{Error, ErrorKind},
    store::Watermark,
};

use super::{
    StoreOptions, files::Files, marks::Mark, ownership::Lock, pending::Pending, position::Position,
    record::Part, recovery::Recovered, state::State, vfs::Disk,
};

/// State, marks, and what wakes the writer.
pub(crate) struct Shared {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) files: Files,
    pub(crate) file_size: u32,
    pub(crate) state: Mutex<State>,
    pub(crate) wake: Condvar,
    pub(crate) written: Mark,
    pub(crate) synced: Mark,
    /// 1 once the writer has ended.
    pub(crate) ended: Watermark,
    pub(crate) lock: Mutex<Option<Lock>>,
}

/// What the writer does next.
pub(crate) struct Batch {
    pub(crate) parts: Vec<Part>,
    /// The last commit in it.
    pub(crate) seq: u64,
    /// Where the journal ends behind it.
    pub(crate) end: Position,
    pub(crate) octets: usize,
}

/// Why the writer should end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It goes on.
    None,
    /// The last handle is gone: what was submitted is written.
    Dropped,
    /// The store is closed: what was submitted is synced, and a mark says so.
    Closed,
}

impl Shared {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        recovered: Recovered,
        lock: Option<Lock>,
        options: &StoreOptions,
    ) -> Self {
        let seq = recovered.contents.seq;
        let pending = Pending::new(recovered.end, recovered.incarnation, options.file_size);
        Self {
            disk,
            files: recovered.files,
            file_size: options.file_size,
            state: Mutex::new(State::new(recovered.contents, pending, options)),
            wake: Condvar::new(),
            written: Mark::new(seq),
            synced: Mark::new(seq),
            ended: Watermark::default(),
            lock: Mutex::new(lock),
        }
    }

    /// Waits for something to write or sync; `None` when the writer should end.
    pub(crate) fn next_batch(&self) -> Option<Batch> {
        let mut state = self.state.lock();
        loop {
            let sync = state.sync_wanted > self.synced.reached();
            if !state.pending.is_empty() || sync {
                return Some(take(&mut state));
            }
            match state.ending {
                Ending::None => {}
                Ending::Closed if !state.marked && !state.pending.is_untouched() => {
                    state.marked = true;
                    state.submit_mark();
                    continue;
                }
                Ending::Dropped | Ending::Closed => return None,
            }
            state.pending.rest();
            self.wake.wait(&mut state);
        }
    }

    /// Whether a sync was asked for that covers something up to `seq`.
    pub(crate) fn wants_sync(&self, seq: u64) -> bool {
        let synced = self.synced.reached();
        self.state.lock().sync_wanted.min(seq) > synced
    }

    pub(crate) fn note_written(&self, batch: Batch) {
        {
            let mut state = self.state.lock();
            state.pending.unwritten -= batch.octets;
            state.tail.written(batch.seq);
            state.evict();
            state.refusal = state.closed_error();
            for part in batch.parts {
                state.pending.give_back(part.bytes);
            }
        }
        self.written.advance(batch.seq);
    }

    pub(crate) fn note_synced(&self, seq: u64, end: Position) {
        self.state.lock().pending.synced = end;
        self.synced.advance(seq);
    }

    /// Refuses commits until a write works again, and tells those who wait.
    pub(crate) fn refuse(&self, error: &Error) {
        self.state.lock().refusal = Some(error.clone());
        let unknown = Error::new(ErrorKind::Unknown, "write journal", error.to_string());
        self.written.fail_waiting(unknown.clone());
        self.synced.fail_waiting(unknown);
    }

    /// Refuses commits for good: what a failed sync covered may be on disk or not.
    pub(crate) fn fail(&self, error: &Error) {
        let reopen = format!("{error}; the store must be opened again");
        self.state.lock().refusal = Some(Error::new(ErrorKind::Closed, "commit", reopen.clone()));
        let unknown = Error::new(ErrorKind::Unknown, "sync journal", reopen);
        self.written.fail(unknown.clone());
        self.synced.fail(unknown);
    }

    /// Waits between two tries to write; returns at once, with true, when the writer should end.
    pub(crate) fn pause(&self, wait: Duration) -> bool {
        let mut state = self.state.lock();
        if state.ending == Ending::None {
            self.wake.wait_for(&mut state, wait);
        }
        state.ending != Ending::None
    }

    /// Asks the writer to end.
    pub(crate) fn end(&self, ending: Ending) {
        let mut state = self.state.lock();
        if state.ending == Ending::None {
            state.ending = ending;
            let refusal = state.closed_error();
            state.refusal = state.refusal.take().or(refusal);
            if ending == Ending::Closed {
                state.sync_wanted = state.contents.seq;
            }
        }
        drop(state);
        self.wake.notify_one();
    }
}

fn take(state: &mut State) -> Batch {
    let (parts, end) = state.pending.take();
    Batch {
        octets: parts.iter().map(Part::len).sum(),
        parts,
        seq: state.contents.seq,
        end,
    }
}
