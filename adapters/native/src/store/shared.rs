//! What the store's handles and its writer thread share.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use parking_lot::{Condvar, Mutex};
use standpipe_core::{
    entry::Entry,
    error::{Error, ErrorKind},
    id::{LogId, Offset},
    store::{ReadLimit, Watermark},
};

use super::{
    StoreOptions,
    files::Files,
    footing::Footing,
    log::{Log, Plan},
    marks::Mark,
    ownership::Lock,
    pending::Pending,
    position::Position,
    record::Part,
    recovery::Recovered,
    reserve::Reserve,
    segment::{Run, Segments},
    state::{State, unfinished},
    vfs::{Disk, is_full},
};

/// How long the thread behind the journal steps aside for the writer at a time.
const SHORT: Duration = Duration::from_millis(25);

/// How long the writer keeps buffers while nothing is submitted.
const IDLE: Duration = Duration::from_secs(1);

/// State, marks, and what wakes the writer.
pub(crate) struct Shared {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) files: Files,
    pub(crate) segments: Segments,
    pub(crate) file_size: u32,
    journal_bytes: u64,
    reserve: Reserve,
    pub(crate) state: Mutex<State>,
    pub(crate) wake: Condvar,
    /// Wakes the thread behind the journal.
    pub(crate) flush: Condvar,
    /// Wakes the writer where it waits for room in the journal.
    pub(crate) room: Condvar,
    pub(crate) written: Mark,
    pub(crate) synced: Mark,
    /// 1 once the writer has ended.
    pub(crate) ended: Watermark,
    pub(crate) lock: Mutex<Option<Lock>>,
}

/// What the writer does next.
pub(crate) struct Batch {
    pub(crate) parts: VecDeque<Part>,
    /// The last commit in it.
    pub(crate) seq: u64,
    /// Where the journal ends behind it.
    pub(crate) end: Position,
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

/// Wakes the writer when it goes out of scope, however that comes about.
struct Wake<'a>(&'a Condvar);

impl Drop for Wake<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Shared {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        recovered: Recovered,
        lock: Option<Lock>,
        options: &StoreOptions,
    ) -> Self {
        let seq = recovered.contents.seq;
        let pending = Pending::new(
            recovered.end,
            recovered.facts.incarnation,
            options.file_size,
        );
        Self {
            segments: Segments::new(disk.clone()),
            disk,
            files: recovered.files,
            file_size: options.file_size,
            journal_bytes: options.journal_bytes,
            reserve: Reserve::new(options.reserve()),
            state: Mutex::new(State::new(
                recovered.contents,
                pending,
                recovered.facts.first_file,
                options,
            )),
            wake: Condvar::new(),
            flush: Condvar::new(),
            room: Condvar::new(),
            written: Mark::new(seq),
            synced: Mark::new(seq),
            ended: Watermark::default(),
            lock: Mutex::new(lock),
        }
    }

    /// Octets of a segment, about.
    pub(crate) fn segment_size(&self) -> u64 {
        self.journal_bytes / 2
    }

    /// Journal files at most that may be written and not synced before another one is begun.
    pub(crate) fn most_unsynced(&self) -> usize {
        let files = self.journal_bytes / u64::from(self.file_size);
        usize::try_from(files).unwrap_or(usize::MAX).max(1)
    }

    /// Changes the state, and wakes the writer: it ends the store where `change` panics half-way.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let _wake = Wake(&self.wake);
        change(&mut self.state.lock())
    }

    /// How a read of `log` from `from` goes.
    ///
    /// # Errors
    /// As [`Log::plan`].
    pub(crate) fn plan(
        &self,
        log: LogId,
        mut from: Offset,
        limit: ReadLimit,
    ) -> Result<Plan, Error> {
        let state = self.state.lock();
        let Some(log) = state.contents.logs.get(&log) else {
            return Log::default().plan(from, limit);
        };
        loop {
            let mut plan = log.plan(log.behind_forgotten(from), limit)?;
            let Plan::Journal(places, entries) = &mut plan else {
                return Ok(plan);
            };
            let last = entries.last().map(Entry::end_offset);
            log.retain_needed(entries);
            match last.filter(|_| places.is_empty() && entries.is_empty()) {
                Some(end) => from = end,
                None => return Ok(plan),
            }
        }
    }

    /// Whether `log` still has each of `runs`.
    pub(crate) fn has_runs(&self, log: LogId, runs: &[Run]) -> bool {
        let state = self.state.lock();
        let log = state.contents.logs.get(&log);
        log.is_some_and(|log| runs.iter().all(|run| log.has_run(run)))
    }

    /// Takes out of what was read what no reader needs.
    pub(crate) fn retain_needed(&self, log: LogId, entries: &mut Vec<Entry>) {
        if let Some(log) = self.state.lock().contents.logs.get(&log) {
            log.retain_needed(entries);
        }
    }

    /// What was read of `log` from `from` on, up to where what is lost was passed over.
    ///
    /// # Errors
    /// As [`Loss::cut`](super::loss::Loss::cut).
    pub(crate) fn up_to_lost(
        &self,
        log: LogId,
        from: Offset,
        entries: Vec<Entry>,
    ) -> Result<Vec<Entry>, Error> {
        match self.state.lock().contents.logs.get(&log) {
            Some(log) => log.loss().cut(from, entries),
            None => Ok(entries),
        }
    }

    /// Where a read from `from` goes on that came upon damage that nobody needs.
    pub(crate) fn past_forgotten(&self, log: LogId, from: Offset, error: &Error) -> Option<Offset> {
        let state = self.state.lock();
        let log = state.contents.logs.get(&log);
        log.filter(|_| error.kind() == ErrorKind::Corrupt)?
            .past_forgotten(from)
    }

    /// Waits for something to write or sync; `None` when the writer should end. Where nothing comes
    /// for a while, that is a mark: no record says of the last sync otherwise.
    ///
    /// # Errors
    /// `Closed` where a commit was begun and not finished: what waits must not be written.
    pub(crate) fn next_batch(&self) -> Result<Option<Batch>, Error> {
        let (mut state, mut idle) = (self.state.lock(), false);
        loop {
            if state.unfinished {
                return Err(unfinished());
            }
            let sync = state.sync_wanted > self.synced.reached();
            let footing = state.footing.as_ref().is_some_and(Footing::is_open);
            if !state.pending.is_empty() || sync || footing {
                return Ok(Some(take(&mut state)));
            }
            let owed = state.pending.owes_mark();
            let fits = owed && state.full.is_none() && state.pending.has_room_for_mark();
            match state.ending {
                // No sync: what it says is on disk, and the system keeps it if the process is killed.
                Ending::None if idle && fits => {
                    let wanted = state.sync_wanted;
                    state.submit_mark();
                    state.sync_wanted = wanted;
                    continue;
                }
                Ending::None => {}
                Ending::Closed if !state.marked && owed => {
                    state.marked = true;
                    state.submit_mark();
                    continue;
                }
                Ending::Dropped | Ending::Closed => return Ok(None),
            }
            idle = if fits || state.pending.has_spares() {
                self.wake.wait_for(&mut state, IDLE).timed_out()
            } else {
                self.wake.wait(&mut state);
                false
            };
            if idle {
                state.pending.rest();
            }
        }
    }

    /// Whether a sync was asked for that covers something up to `seq`.
    pub(crate) fn wants_sync(&self, seq: u64) -> bool {
        let synced = self.synced.reached();
        self.state.lock().sync_wanted.min(seq) > synced
    }

    pub(crate) fn note_written(&self, part: Part) {
        let seq = part.seq;
        {
            let mut state = self.state.lock();
            state.pending.unwritten -= part.len();
            state.writer_first = false;
            state.tail.written(seq);
            state.evict();
            state.refusal = state.closed_error();
            state.tell();
            state.pending.give_back(part.bytes);
        }
        self.written.advance(seq);
    }

    /// All up to commit `seq`, with which the journal ended at `end`, is on disk.
    pub(crate) fn note_synced(&self, seq: u64, end: Position) {
        let mut state = self.state.lock();
        state.pending.synced = state.pending.synced.max(end);
        drop(state);
        self.synced.advance(seq);
    }

    /// Refuses commits until a write works again, and tells those who wait.
    pub(crate) fn refuse(&self, error: &Error) {
        {
            let mut state = self.state.lock();
            state.refusal = Some(error.clone());
            state.writer_first = false;
            state.tell();
        }
        let unknown = Error::new(ErrorKind::Unknown, "write journal", error.to_string());
        self.written.fail_waiting(unknown.clone());
        self.note_footing(Err(unknown.clone()));
        self.synced.fail_waiting(unknown);
    }

    /// The disk is full: gives the reserve to what frees space, and refuses what takes it. `false`
    /// where the reserve is used up.
    pub(crate) fn use_reserve(&self, error: &Error) -> bool {
        let mut state = self.state.lock();
        if !self.reserve.release(&*self.disk) {
            return false;
        }
        let message = format!("{error}; acks, purges and deletes are still taken");
        tracing::error!("{message}");
        state.full = Some(Error::new(ErrorKind::Throttled, "append", message));
        // Until it is known what is free.
        state.movable = 0;
        state.writer_first = true;
        state.tell();
        drop(state);
        self.flush.notify_one();
        true
    }

    /// Keeps the reserve; where it was used, appends are taken again once it is back.
    pub(crate) fn hold_reserve(&self) -> Result<(), Error> {
        // Under the lock: between its release and the write that it is for, nobody takes it.
        let mut state = self.state.lock();
        if let Some(full) = state.full.clone().filter(|_| state.writer_first) {
            return Err(full);
        }
        let held = match self.reserve.hold(&*self.disk) {
            Ok(()) => {
                if state.full.take().is_some() {
                    tracing::info!("there is space again");
                    // There is room for the mark of an idle store too.
                    self.wake.notify_one();
                }
                Ok(())
            }
            Err(error) if is_full(&error) => {
                let message = "the disk is full: no space for the reserve";
                let error = Error::new(ErrorKind::Throttled, "append", message).with_source(error);
                state.full.get_or_insert_with(|| error.clone());
                // What waits has not taken its space yet.
                let waiting = state.pending.unwritten as u64;
                state.movable = self.reserve.movable(&*self.disk).saturating_sub(waiting);
                Err(error)
            }
            // This says nothing about the space that is left.
            Err(error) => {
                let message = "cannot make the reserve";
                Err(Error::new(ErrorKind::Transient, "hold reserve", message).with_source(error))
            }
        };
        state.tell();
        held
    }

    /// Refuses commits for good: what a failed sync covered may be on disk or not.
    pub(crate) fn fail(&self, error: &Error) {
        let reopen = format!("{error}; the store must be opened again");
        {
            let mut state = self.state.lock();
            state.refusal = Some(Error::new(ErrorKind::Closed, "commit", reopen.clone()));
            state.ending = Ending::Dropped;
        }
        let unknown = Error::new(ErrorKind::Unknown, "sync journal", reopen);
        self.written.fail(unknown.clone());
        self.note_footing(Err(unknown.clone()));
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
        self.flush.notify_one();
        self.room.notify_one();
    }

    /// Waits for something to do behind the journal: the last file to move into a segment, or only
    /// a look at what can go. `None` when the store ends.
    pub(crate) fn next_flush(&self, first_file: u32, look: Duration) -> Option<Option<u32>> {
        let mut state = self.state.lock();
        let mut looked = false;
        loop {
            if state.ending != Ending::None {
                return None;
            }
            let newest = self.files.newest();
            let files = u64::from(newest.saturating_sub(first_file)) + 1;
            if state.writer_first {
                self.flush.wait_for(&mut state, look.min(SHORT));
                continue;
            }
            let squeezed = state.full.is_some() || state.stuck.is_some();
            let full = files > 1 && files * u64::from(self.file_size) * 2 > self.journal_bytes;
            if full || (squeezed && newest > first_file) {
                return Some(Some(newest - 1));
            }
            let gone = state.contents.gone.first().map(|(seq, _)| *seq);
            let ready = gone.is_some_and(|seq| seq <= self.synced.reached());
            if looked || squeezed || ready {
                return Some(None);
            }
            let wait = gone.map_or(look, |_| SHORT);
            looked = self.flush.wait_for(&mut state, wait).timed_out();
        }
    }

    /// The thread behind the journal has ended.
    pub(crate) fn note_flusher_ended(&self) {
        self.state.lock().flushing = false;
        self.room.notify_one();
    }

    /// The writer ends: nothing more is synced, and the thread behind the journal ends first.
    pub(crate) fn wait_for_flusher(&self) {
        let error = Error::new(ErrorKind::Closed, "sync journal", "the store is closed");
        self.synced.fail(error);
        self.flush.notify_one();
        let mut state = self.state.lock();
        while state.flushing {
            self.room.wait(&mut state);
        }
    }

    /// The journal begins with `first_file` now, or cannot be made shorter.
    pub(crate) fn note_flushed(&self, first_file: u32, error: Option<&Error>) {
        let mut state = self.state.lock();
        state.first_file = first_file;
        state.stuck = error.cloned();
        drop(state);
        self.room.notify_one();
    }

    /// Waits, unless the store ends.
    pub(crate) fn rest(&self, wait: Duration) {
        let mut state = self.state.lock();
        if state.ending == Ending::None {
            self.flush.wait_for(&mut state, wait);
        }
    }

    /// Runs that nobody needs, as of what is on disk; asks for a sync where some wait for that.
    pub(crate) fn take_gone(&self) -> Vec<Run> {
        let synced = self.synced.reached();
        let mut state = self.state.lock();
        let on_disk = |(seq, _): &(u64, Run)| *seq <= synced;
        let these = state.contents.gone.partition_point(on_disk);
        let waiting = state.contents.gone.split_off(these);
        let gone = std::mem::replace(&mut state.contents.gone, waiting);
        if let Some((seq, _)) = state.contents.gone.last() {
            state.sync_wanted = state.sync_wanted.max(*seq);
            self.wake.notify_one();
        }
        gone.into_iter().map(|(_, run)| run).collect()
    }

    /// Waits for room for journal file `number`: where the segments do not keep up, the journal
    /// must not grow for ever. Where nobody makes room any more, the store ends soon.
    pub(crate) fn wait_for_room(&self, number: u32) {
        let mut state = self.state.lock();
        let limit = (self.journal_bytes / u64::from(self.file_size)).max(3);
        self.flush.notify_one();
        while u64::from(number.saturating_sub(state.first_file)) >= limit
            && !state.footing.as_ref().is_some_and(Footing::is_open)
            && state.stuck.is_none()
            && state.ending == Ending::None
            && state.flushing
        {
            self.room.wait(&mut state);
        }
    }
}

fn take(state: &mut State) -> Batch {
    let (parts, end) = state.pending.take();
    Batch {
        parts,
        seq: state.contents.seq,
        end,
    }
}
