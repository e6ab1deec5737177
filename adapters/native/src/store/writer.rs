//! The one thread that writes the journal: while one sync runs, the next batch gathers.

use std::{
    io,
    ops::RangeInclusive,
    sync::Arc,
    time::{Duration, Instant},
};

use standpipe_core::error::{Error, ErrorKind};

use super::{
    ahead::{Ahead, MakeError, make},
    header::{FILE_ID, FileHeader, FileId},
    position::{Position, journal_name},
    record::Part,
    reserve,
    shared::{Batch, Shared},
    vfs::{File, write_all_at},
};

/// Between two tries to write what the disk refused.
const RETRY: Duration = Duration::from_millis(250);

/// Between two tries just after the disk was found full, and how long that goes on.
const SHORT: Duration = Duration::from_millis(25);
const PATIENCE: Duration = Duration::from_secs(2);

/// Part of a file that is written before the next one is made.
const AHEAD: u32 = 4;

type Named = (FileId, Arc<dyn File>);

/// Writes what is submitted, in order, and syncs it once for all who wait.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    file: Option<Named>,
    ahead: Ahead,
    /// Files with something that is not synced, the oldest first.
    dirty: Vec<Named>,
}

/// A write can be tried again, a sync cannot: after it failed, the kernel may have dropped the
/// pages and report success the next time.
enum Failure {
    Write(Error),
    Sync(Error),
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            file: None,
            ahead: Ahead::default(),
            dirty: Vec::new(),
        }
    }

    /// Runs until the store is closed or its last handle is gone.
    pub(crate) fn run(mut self) {
        match self.write_all() {
            Ok(()) => self.end(None),
            Err(error) => self.fail(error),
        }
    }

    fn fail(&mut self, error: Error) {
        tracing::error!("{error}; nothing more is stored until the store is opened again");
        self.shared.fail(&error);
        self.end(Some(error));
    }

    fn write_all(&mut self) -> Result<(), Error> {
        while let Some(batch) = self.shared.next_batch()? {
            let (seq, end) = (batch.seq, batch.end);
            self.write_until_done(batch)?;
            self.sync_if_wanted(seq, end)?;
            self.sync_footing(seq)?;
        }
        Ok(())
    }

    /// Gives the directory free.
    fn end(&mut self, failure: Option<Error>) {
        self.shared.wait_for_flusher();
        self.ahead.discard(&*self.shared.disk);
        self.shared.lock.lock().take();
        match failure {
            None => self.shared.ended.advance(1),
            Some(error) => self.shared.ended.fail(error),
        }
    }

    fn write_until_done(&mut self, mut batch: Batch) -> Result<(), Error> {
        let (mut said, mut patience) = (false, None);
        loop {
            match self.write(&mut batch) {
                Ok(()) => break,
                Err(Failure::Sync(error)) => return Err(error),
                Err(Failure::Write(error)) => {
                    if reserve::is_wanted(&error) && self.bears(&error, &mut patience) {
                        continue;
                    }
                    if !std::mem::replace(&mut said, true) {
                        tracing::error!("{error}; commits are refused until a write works");
                    }
                    self.shared.refuse(&error);
                    if self.shared.pause(RETRY) {
                        return Err(error);
                    }
                }
            }
        }
        if said {
            tracing::info!("the journal can be written again");
        }
        Ok(())
    }

    /// Whether a full disk is no reason yet to refuse what waits: the reserve was released, or the first
    /// try is not long ago. Who makes a segment or a reserve may have taken all that was left, and gives
    /// it back.
    fn bears(&self, error: &Error, patience: &mut Option<Instant>) -> bool {
        let until = Instant::now() + PATIENCE;
        if self.shared.use_reserve(error) {
            *patience = Some(until);
            return true;
        }
        let until = *patience.get_or_insert(until);
        Instant::now() < until && !self.shared.pause(SHORT)
    }

    /// Writes part by part, so that whoever waits for the first goes on while others are written.
    fn write(&mut self, batch: &mut Batch) -> Result<(), Failure> {
        while let Some(part) = batch.parts.pop_front() {
            if let Err(failure) = self.write_part(&part) {
                batch.parts.push_front(part);
                return Err(failure);
            }
            self.shared.note_written(part);
        }
        Ok(())
    }

    fn write_part(&mut self, part: &Part) -> Result<(), Failure> {
        let current = self.file.as_ref().map_or(0, |(id, _)| id.number);
        if let Some(header) = part.new_file.filter(|header| current < header.id.number) {
            self.open_file(&header)?;
        }
        let Some((id, file)) = &self.file else {
            unreachable!("the first part opens a file");
        };
        if self.dirty.last().is_none_or(|(last, _)| last != id) {
            self.dirty.push((*id, file.clone()));
        }
        write_all_at(&**file, &mut part.slices(), u64::from(part.at.at))
            .map_err(|error| refused(part, error))?;
        if part.end().at >= self.shared.file_size / AHEAD {
            let (disk, size) = (&self.shared.disk, self.shared.file_size);
            self.ahead.begin(disk, id.next(), size);
        }
        Ok(())
    }

    /// Goes on in the next file. Those before it may not be synced yet: its link says so.
    fn open_file(&mut self, header: &FileHeader) -> Result<(), Failure> {
        self.shared.wait_for_room(header.id.number);
        self.forget_replaced();
        if self.dirty.len() >= self.shared.most_unsynced() {
            self.sync()?;
        }
        let (id, octets) = (header.id, header.encode());
        let made = match self.ahead.take(id) {
            Some(Ok(file)) => {
                let mut link = [io::IoSlice::new(&octets[FILE_ID..])];
                let linked = write_all_at(&*file, &mut link, FILE_ID as u64);
                linked.map(|()| file).map_err(MakeError::Write)
            }
            Some(Err(failed @ MakeError::Sync(_))) => Err(failed),
            // What did not work beside the writer may work now, or has an error to tell.
            Some(Err(MakeError::Write(_))) | None => {
                make(&*self.shared.disk, id, &octets, self.shared.file_size)
            }
        };
        let file = made.map_err(|error| cannot_make(id.number, error))?;
        self.shared.files.insert(id.number, file.clone());
        self.file = Some((id, file));
        Ok(())
    }

    fn sync_if_wanted(&mut self, seq: u64, end: Position) -> Result<(), Error> {
        if !self.shared.wants_sync(seq) {
            return Ok(());
        }
        match self.sync() {
            Ok(()) => {
                self.shared.note_synced(seq, end);
                Ok(())
            }
            Err(Failure::Sync(error) | Failure::Write(error)) => Err(error),
        }
    }

    /// Syncs what a checkpoint waits for. Files whose entries go into a segment are left out.
    fn sync_footing(&mut self, seq: u64) -> Result<(), Error> {
        let Some(files) = self.shared.footing_wanted(seq) else {
            return Ok(());
        };
        match self.sync_files(&files) {
            Ok(()) => {
                self.shared.note_footing(Ok(()));
                Ok(())
            }
            Err(Failure::Sync(error) | Failure::Write(error)) => Err(error),
        }
    }

    /// Syncs all files in order, so that what is known to be synced is all before a place.
    fn sync(&mut self) -> Result<(), Failure> {
        self.forget_replaced();
        self.sync_files(&(0..=u32::MAX))
    }

    fn sync_files(&mut self, files: &RangeInclusive<u32>) -> Result<(), Failure> {
        let these = |(id, _): &Named| files.contains(&id.number);
        for (id, file) in self.dirty.iter().filter(|file| these(file)) {
            let synced = file.sync();
            synced.map_err(|error| Failure::Sync(sync_failed(id.number, error)))?;
        }
        self.dirty.retain(|file| !these(file));
        Ok(())
    }

    /// What a segment has replaced needs no sync.
    fn forget_replaced(&mut self) {
        let first = self.shared.state.lock().first_file;
        self.dirty.retain(|(id, _)| id.number >= first);
    }
}

impl Drop for Writer {
    /// A bug that unwinds ends the store too: else those who wait would do so for ever.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let message = "the journal's thread panicked, which is a bug";
            self.fail(Error::new(ErrorKind::Unknown, "write journal", message));
        }
    }
}

fn refused(part: &Part, error: io::Error) -> Failure {
    let message = format!("cannot write {}", part.at);
    Failure::Write(Error::new(ErrorKind::Transient, "commit", message).with_source(error))
}

fn cannot_make(file: u32, error: MakeError) -> Failure {
    match error {
        MakeError::Write(error) => {
            let message = format!("cannot make {}", journal_name(file));
            let error = Error::new(ErrorKind::Transient, "commit", message).with_source(error);
            Failure::Write(error)
        }
        MakeError::Sync(error) => Failure::Sync(sync_failed(file, error)),
    }
}

fn sync_failed(file: u32, error: io::Error) -> Error {
    let message = format!("cannot sync {}", journal_name(file));
    Error::new(ErrorKind::Unknown, "sync journal", message).with_source(error)
}
