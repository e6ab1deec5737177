//! The thread behind the journal: moves what is still needed into segments, so that journal files
//! can go, and gives back the space of what nobody needs.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use standpipe_core::{
    error::{Error, ErrorKind},
    id::{LogId, Offset},
};

use super::{
    checkpoint::{self, Facts, checkpoint_name},
    position::{Position, journal_name},
    recovery::name,
    segment::{Run, SegmentWriter, copy_log, segment_name},
    shared::Shared,
    snapshot::Snapshot,
    space::Space,
};

/// Between two looks at what can go, where nothing wakes the thread.
const LOOK: Duration = Duration::from_secs(1);
/// Between two tries where the disk refused, for each that failed, up to a limit: what is freed
/// meanwhile is to be found within seconds.
const RETRY: Duration = Duration::from_millis(500);
const MOST_WAITS: u32 = 2;

/// Writes segments and checkpoints, and removes files.
pub(crate) struct Flusher {
    pub(super) shared: Arc<Shared>,
    pub(super) facts: Facts,
    /// The checkpoint that counts, if there is one, and the number of the next.
    checkpoint: (Option<u64>, u64),
    /// Octets of the checkpoint that was written last, or was to be.
    pub(super) checkpoint_octets: u64,
    space: Space,
    /// Runs whose space is back with the next checkpoint: before it, recovery needs them.
    pub(super) superseded: Vec<Run>,
    /// Runs whose space nobody needs and is not back: what the disk refused is tried again.
    needless: Vec<Run>,
    /// Runs, by segment and place, that are damaged where they are needed or could not be read.
    pub(super) untouched: BTreeSet<(u64, u64)>,
    /// Time between two looks at runs that nobody needs most of, and when the last was.
    thinning: Duration,
    looked: Instant,
    /// Octets that such a look copies at most: fewer where the disk had no room for them.
    pub(super) most_copied: u64,
}

/// A segment's runs, and whose they are.
type Runs = Vec<(LogId, Run)>;

/// A log's part in a segment.
struct Moved {
    log: LogId,
    born: u64,
    below: Offset,
    lost: Vec<(Offset, Position)>,
}

/// A flush as it begins.
struct Begun {
    moved: Vec<Moved>,
    snapshot: Snapshot,
    /// How often something was let go of before.
    cuts: u64,
    /// The last journal file that goes.
    last: u32,
}

impl Flusher {
    pub(crate) fn new(
        shared: Arc<Shared>,
        facts: Facts,
        checkpoint: (Option<u64>, u64),
        thinning: Duration,
    ) -> Self {
        let mut state = shared.state.lock();
        state.flushing = true;
        let mut space = Space::default();
        let needed = state.contents.logs.values().flat_map(|log| log.runs());
        let gone = state.contents.gone.iter().map(|(_, run)| run);
        needed.chain(gone).for_each(|run| space.add(run));
        drop(state);
        let newest = checkpoint.0.map(checkpoint_name);
        let newest = newest.and_then(|name| shared.disk.open(&name).ok());
        Self {
            most_copied: shared.segment_size(),
            checkpoint_octets: newest.and_then(|file| file.len().ok()).unwrap_or(0),
            shared,
            facts,
            checkpoint,
            space,
            superseded: Vec::new(),
            needless: Vec::new(),
            untouched: BTreeSet::new(),
            thinning,
            looked: Instant::now(),
        }
    }

    /// Runs until the store ends.
    pub(crate) fn run(mut self) {
        let mut failures = u32::from(self.shared.hold_reserve().is_err());
        while let Some(last) = self.shared.next_flush(self.facts.first_file, LOOK) {
            let held = self.hold();
            let flushed = last.map_or(Ok(()), |last| self.flush(last));
            // What was flushed may have given the space that was missing.
            let held = held.or_else(|_| self.hold());
            // So may this; a full disk is no reason to leave it.
            let looked = self.look();
            let error = held.and(flushed).and(looked).err();
            self.shared
                .note_flushed(self.facts.first_file, error.as_ref());
            let Some(error) = error else {
                failures = 0;
                continue;
            };
            if failures == 0 {
                tracing::error!("{error}; journal files stay until it works");
            }
            failures += 1;
            self.shared.rest(RETRY * failures.min(MOST_WAITS));
        }
    }

    /// Keeps the reserve, of what nobody needs if need be.
    fn hold(&mut self) -> Result<(), Error> {
        let reclaimed = self.reclaim();
        // What cannot be freed is no reason not to hold it.
        self.shared.hold_reserve().and(reclaimed)
    }

    /// Looks now and then at runs that nobody needs most of.
    fn look(&mut self) -> Result<(), Error> {
        if self.looked.elapsed() < self.thinning {
            return Ok(());
        }
        self.looked = Instant::now();
        self.thin()?;
        self.give_back()
    }

    /// Moves what is needed of journal files up to `last` into a segment, and lets the files go.
    fn flush(&mut self, last: u32) -> Result<(), Error> {
        let number = self.facts.next_segment;
        let mut begun = self.begin(last);
        self.lay_footing(last + 1, &begun.snapshot)?;
        let runs = self
            .write_segment(number, &mut begun.moved)
            .map_err(|error| self.give_up(number, error))?;
        let facts = Facts {
            first_file: last + 1,
            ..self.count(number, runs.iter().map(|(_, run)| run))
        };
        let snapshot = self.install(begun, runs)?;
        self.checkpoint(facts, snapshot)?;
        self.shared.note_flushed(self.facts.first_file, None);
        for file in self.shared.files.take_up_to(last) {
            self.remove(&journal_name(file));
        }
        Ok(())
    }

    /// Waits until what a checkpoint counts is on disk, where it lies in files from `first` on.
    pub(super) fn lay_footing(&self, first: u32, snapshot: &Snapshot) -> Result<(), Error> {
        let files = first..=snapshot.end.file;
        self.shared.lay_footing(files, snapshot.seq)
    }

    /// Counts the runs of segment `number`; returns what a checkpoint says that knows it.
    pub(super) fn count<'a>(&mut self, number: u64, runs: impl Iterator<Item = &'a Run>) -> Facts {
        runs.for_each(|run| self.space.add(run));
        self.facts.next_segment = number + 1;
        self.facts
    }

    /// Writes a checkpoint, whose footing is laid; from then on the one before is needless, and what
    /// was superseded.
    pub(super) fn checkpoint(&mut self, facts: Facts, snapshot: Snapshot) -> Result<(), Error> {
        let (seq, end) = (snapshot.seq, snapshot.end);
        let (before, number) = self.checkpoint;
        let octets = snapshot.encode(facts);
        self.checkpoint_octets = octets.len() as u64;
        let written = checkpoint::write(&*self.shared.disk, number, &octets);
        self.checkpoint.1 += 1;
        written.map_err(|error| {
            // It may look whole and not be on the disk; one that is not whole takes space.
            self.remove(&checkpoint_name(number));
            failed(&checkpoint_name(number), error)
        })?;
        self.checkpoint.0 = Some(number);
        self.facts = facts;
        self.shared.note_synced(seq, end);
        if let Some(before) = before {
            self.remove(&checkpoint_name(before));
        }
        self.needless.append(&mut self.superseded);
        Ok(())
    }

    fn write_segment(&self, number: u64, moved: &mut [Moved]) -> io::Result<Runs> {
        if moved.is_empty() {
            return Ok(Vec::new());
        }
        let mut segment = SegmentWriter::create(&*self.shared.disk, number)?;
        for part in moved {
            part.lost = copy_log(
                &self.shared,
                (part.log, part.born),
                part.below,
                &mut segment,
            )?;
        }
        if segment.is_empty() {
            self.shared.segments.remove(number)?;
            return Ok(Vec::new());
        }
        let runs = segment.finish()?;
        self.shared.disk.sync_names()?;
        Ok(runs)
    }

    /// Logs that have something in journal files up to `last`, in the order of their ids, and what
    /// the store holds before they are moved.
    fn begin(&self, last: u32) -> Begun {
        let state = self.shared.state.lock();
        let logs = state.contents.logs.iter().map(|(id, log)| Moved {
            log: *id,
            born: log.born(),
            below: log.end_in_journal(last),
            lost: Vec::new(),
        });
        let mut begun = Begun {
            moved: logs.collect(),
            snapshot: state.snapshot(),
            cuts: state.contents.cuts,
            last,
        };
        drop(state);
        let by_id = |part: &Moved| (part.log.topic.0, part.log.partition.0);
        begun.moved.sort_unstable_by_key(by_id);
        begun
    }

    /// Readers find it in the segment from here on. Returns what a checkpoint says: as of the begin,
    /// where nothing was let go of since, so that what came meanwhile needs no sync; as of now
    /// otherwise, since the segment does not have what was let go of.
    fn install(&self, begun: Begun, runs: Runs) -> Result<Snapshot, Error> {
        let Begun {
            mut snapshot,
            moved,
            cuts,
            last,
        } = begun;
        let mut runs: BTreeMap<_, _> = runs
            .into_iter()
            .map(|(log, run)| ((log.topic.0, log.partition.0), run))
            .collect();
        let mut state = self.shared.state.lock();
        let mut is_whole = cuts == state.contents.cuts;
        for part in moved {
            let run = runs.remove(&(part.log.topic.0, part.log.partition.0));
            snapshot.settle_in(part.log, part.below);
            is_whole &= part.lost.is_empty();
            let contents = &mut state.contents;
            let log = contents.logs.get_mut(&part.log);
            let gone = match log.filter(|log| log.born() == part.born) {
                Some(log) => {
                    for (base, place) in part.lost {
                        let why = format!("offset {base} was damaged in {place}");
                        tracing::error!(log = name(part.log), "{why}");
                        log.lose_entry(base, why);
                    }
                    log.settle_in(run, part.below)
                }
                None => run.into_iter().collect(),
            };
            contents.let_go(gone);
        }
        if !is_whole {
            snapshot = state.snapshot();
            drop(state);
            self.lay_footing(last + 1, &snapshot)?;
        }
        Ok(snapshot)
    }

    pub(super) fn give_up(&self, number: u64, error: io::Error) -> Error {
        self.remove(&segment_name(number));
        failed(&segment_name(number), error)
    }

    /// Gives back the space of runs that nobody needs, as of what is on disk.
    fn reclaim(&mut self) -> Result<(), Error> {
        self.needless.extend(self.shared.take_gone());
        self.give_back()
    }

    /// Gives back the space of all that is needless; what the disk refuses holds up nothing else.
    fn give_back(&mut self) -> Result<(), Error> {
        let mut outcome = Ok(());
        for run in std::mem::take(&mut self.needless) {
            if let Err(error) = self.free(&run) {
                self.needless.push(run);
                outcome = outcome.and(Err(error));
            }
        }
        outcome
    }

    fn free(&mut self, run: &Run) -> Result<(), Error> {
        if self.space.is_last(run) {
            if let Err(error) = self.shared.segments.remove(run.segment)
                && error.kind() != io::ErrorKind::NotFound
            {
                return Err(failed(&segment_name(run.segment), error));
            }
            self.space.remove(run);
        } else if let Some(octets) = self.space.remove(run)
            && let Ok(file) = self.shared.segments.get(run.segment)
        {
            // Where the file system cannot punch, the space is back with the whole segment.
            let _ = file.punch(octets.start, octets.end - octets.start);
        }
        Ok(())
    }

    fn remove(&self, name: &str) {
        match self.shared.disk.remove(name) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(name, %error, "cannot remove a file; it goes when the store is opened")
            }
        }
    }
}

impl Drop for Flusher {
    /// A bug that unwinds ends the store too: what it was about may be half done.
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("the thread behind the journal panicked, which is a bug");
            self.shared.change(|state| state.unfinished = true);
        }
        self.shared.note_flusher_ended();
    }
}

fn failed(name: &str, error: io::Error) -> Error {
    let message = format!("cannot write {name}");
    Error::new(ErrorKind::Transient, "flush journal", message).with_source(error)
}
