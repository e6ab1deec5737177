//! What is in the journal when a store is opened.
//!
//! Damage at or above the highest position known to be synced is the torn tail, and is cut there,
//! with the files behind it. Below, it is corruption: a damaged body closes its log, and where the
//! damage hides which logs it hit, the store does not open. Nothing is written but the cut, so
//! recovery can be cut short and repeated.

use std::{io, ops::Range};

use standpipe_core::{
    entry::Flags,
    error::{Error, ErrorKind, Result},
    id::{LogId, Offset},
    store::Op,
};

use super::{
    accepted::{Accepted, More, Skip},
    checkpoint::{self, Facts, checkpoint_name, checkpoint_number},
    contents::Contents,
    files::Files,
    header::{FILE_HEADER, Link, RecordHeader},
    journal::{End, Journal, end_at, known_synced, mend_record, no_header, open_files},
    log::Log,
    origin::check_origin,
    position::{Position, journal_name, journal_number},
    scan::{Found, find_record, scan_from},
    segment::{read_table, segment_number},
    step::{Append, Step},
    vfs::Disk,
    window::{Window, first_nonzero},
};

const OPERATION: &str = "open store";
/// What a person can do about damage that keeps the store closed.
pub(super) const ADVICE: &str = "; restore the file from a copy, or give up what it held with \
     `standpipe store check --accept-loss DIR`";

/// A store as recovery left it.
pub(crate) struct Recovered {
    pub(crate) contents: Contents,
    pub(crate) files: Files,
    /// Where the journal ends; synced.
    pub(crate) end: Position,
    /// What the next checkpoint says; its incarnation is that of what is written from now on.
    pub(crate) facts: Facts,
    /// The checkpoint that recovery began with.
    pub(crate) checkpoint: Option<u64>,
    /// The number of the next one.
    pub(crate) next_checkpoint: u64,
}

/// Reads the newest checkpoint, the segments' tables, and the journal behind the checkpoint.
///
/// # Errors
/// `Corrupt` for damage below the synced position that cannot be isolated, with file and offset;
/// `Permanent` where a file cannot be read.
pub(crate) fn recover(disk: &dyn Disk) -> Result<Recovered> {
    recover_past(disk, More::Refused).map(|(recovered, _)| recovered)
}

/// As [`recover`], past damage that was given up, and where more is accepted, past all of it;
/// returns what is given up then.
///
/// # Errors
/// As [`recover`].
pub(crate) fn recover_past(disk: &dyn Disk, more: More) -> Result<(Recovered, Accepted)> {
    let accepted = Accepted::read(disk, more);
    let accepted = accepted.map_err(|e| failed("read what was given up", e))?;
    let names = disk.names().map_err(|e| failed("list the store", e))?;
    let (contents, mut facts, checkpoint) = newest_checkpoint(disk, &names)?;
    check_origin(disk, &names, (facts, checkpoint), &accepted)?;
    let mut recovery = Recovery::new(contents, facts, accepted);
    let (found, last) = open_files(disk, &names, facts.first_file, &mut recovery.accepted)?;
    let counted = |name: &&String| {
        let number = segment_number(name);
        number.is_some_and(|number| number < facts.next_segment)
    };
    for name in names.iter().filter(counted) {
        recovery.add_segment(disk, name)?;
    }
    recovery.read_all(&found, last)?;
    recovery.mark_what_is_missing();
    end_at(disk, &found, recovery.end, recovery.synced)?;
    remove_leftovers(disk, &names, facts, checkpoint)?;
    let files = Files::default();
    let left = || found.iter().filter(|j| j.id.number <= recovery.end.file);
    for journal in left() {
        files.insert(journal.id.number, journal.file.clone());
    }
    let newest = left().next_back().map(|last| last.id.incarnation + 1);
    facts.incarnation = newest.unwrap_or(facts.incarnation);
    let recovered = Recovered {
        contents: recovery.contents,
        files,
        end: recovery.end,
        facts,
        checkpoint,
        next_checkpoint: names
            .iter()
            .filter_map(|name| checkpoint_number(name))
            .max()
            .map_or(1, |newest| newest + 1),
    };
    Ok((recovered, recovery.accepted))
}

/// The newest checkpoint that is whole; nothing and the first file where there is none.
pub(crate) fn newest_checkpoint(
    disk: &dyn Disk,
    names: &[String],
) -> Result<(Contents, Facts, Option<u64>)> {
    let mut numbers: Vec<_> = names.iter().filter_map(|n| checkpoint_number(n)).collect();
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    for number in &numbers {
        let name = checkpoint_name(*number);
        let file = disk.open(&name);
        let read = file.and_then(|file| checkpoint::read(&file));
        match read.map_err(|e| failed(&format!("read {name}"), e))? {
            Some((contents, facts)) => {
                // It was read from the system's memory, perhaps: what it replaces goes next.
                let renewed = checkpoint::renew(disk, *number);
                renewed.map_err(|e| failed(&format!("sync {name}"), e))?;
                return Ok((contents, facts, Some(*number)));
            }
            None => tracing::warn!(
                name,
                "this checkpoint is unfinished or damaged; looking for the one before"
            ),
        }
    }
    let facts = Facts {
        incarnation: 0,
        first_file: 1,
        next_segment: 1,
    };
    Ok((Contents::default(), facts, None))
}

/// Removes what a crash left behind: unfinished segments and checkpoints, and files that a
/// checkpoint has made needless.
fn remove_leftovers(
    disk: &dyn Disk,
    names: &[String],
    facts: Facts,
    checkpoint: Option<u64>,
) -> Result<()> {
    let needless = |name: &&String| {
        let segment = segment_number(name).is_some_and(|n| n >= facts.next_segment);
        let journal = journal_number(name).is_some_and(|n| n < facts.first_file);
        let other = checkpoint_number(name).is_some_and(|n| Some(n) != checkpoint);
        segment || journal || other
    };
    for name in names.iter().filter(needless) {
        disk.remove(name)
            .map_err(|e| failed(&format!("remove {name}"), e))?;
    }
    Ok(())
}

struct Recovery {
    contents: Contents,
    /// The last commit that the contents count; that of the checkpoint at first, while the journal
    /// is read from before it.
    read: u64,
    first_file: u32,
    /// The highest position that anything read so far knows to be synced.
    synced: Position,
    /// Whether that counts what is not read yet, too.
    looked: bool,
    /// The last file that is given up; 0 where none is.
    given_up: u32,
    end: Position,
    bad_segments: Vec<String>,
    accepted: Accepted,
    /// The last stretch that was passed over: what comes behind it does not follow.
    passed: Option<Skip>,
}

impl Recovery {
    fn new(contents: Contents, facts: Facts, accepted: Accepted) -> Self {
        Self {
            read: 0,
            first_file: facts.first_file,
            contents,
            synced: Position::default(),
            looked: false,
            given_up: 0,
            end: Position::default(),
            bad_segments: Vec::new(),
            accepted,
            passed: None,
        }
    }

    /// Adds the runs of a segment to their logs.
    fn add_segment(&mut self, disk: &dyn Disk, name: &str) -> Result<()> {
        let number = segment_number(name).unwrap_or_default();
        let file = disk.open(name);
        let runs = file.and_then(|file| read_table(&*file, number));
        let Some(runs) = runs.map_err(|e| failed(&format!("read {name}"), e))? else {
            tracing::error!(
                name,
                "this segment's table is damaged; what it holds is lost"
            );
            self.bad_segments.push(name.to_owned());
            return Ok(());
        };
        for (id, run) in runs {
            match self.contents.logs.get_mut(&id) {
                Some(log) if log.born() == run.born => {
                    let superseded = log.add_run(run);
                    self.contents.let_go(superseded);
                }
                _ => self.contents.let_go(vec![run]),
            }
        }
        Ok(())
    }

    /// Closes the logs that should hold more than was found, and says so.
    fn mark_what_is_missing(&mut self) {
        let suspects = match self.bad_segments.join(", ") {
            none if none.is_empty() => "a segment that is gone".to_owned(),
            some => format!("{some}, whose table is damaged,"),
        };
        for (id, log) in &mut self.contents.logs {
            log.bridge_counted(log.bounds().end, "the journal ends before them");
            let missing = log.missing();
            for range in log.loss().ranges().iter() {
                tracing::error!(log = name(*id), from = %range.start, below = %range.end, "these cannot be read");
            }
            for range in missing {
                let why = format!("{suspects} held them");
                tracing::error!(log = name(*id), from = %range.start, below = %range.end, "{why}");
                log.lose(&range, why);
            }
            // The trims that the checkpoint counts are not done again; what they took was found again.
            let trimmed = log.trim(log.bounds().start).into_iter();
            let gone = trimmed.chain(log.settle_in(None, Offset::ZERO));
            self.contents.gone.extend(gone.map(|run| (0, run)));
        }
    }

    /// Reads all files up to the end of the journal; `last` is the number of the last one.
    fn read_all(&mut self, found: &[Journal], last: u32) -> Result<()> {
        let is_found = |number: &u32| found.iter().any(|journal| journal.id.number == *number);
        let given_up = (self.first_file..=last)
            .rev()
            .find(|number| !is_found(number));
        self.given_up = given_up.unwrap_or(0);
        for index in 0..found.len() {
            if !self.read(found, index, last)? {
                break;
            }
        }
        let before = self.given_up.max(self.first_file - 1);
        if self.end.file < before {
            self.end = Position::new(before, FILE_HEADER as u32);
        }
        Ok(())
    }

    /// Reads a file's records; returns whether the journal goes on behind them.
    fn read(&mut self, found: &[Journal], index: usize, last: u32) -> Result<bool> {
        let journal = &found[index];
        let Some(link) = journal.link else {
            return self.pass_unlinked(journal.id.number);
        };
        self.follow(journal, &link)?;
        self.synced = self.synced.max(link.synced);
        let end = End::of(found, index, last);
        let limit = match end {
            End::At(at) => at,
            End::Unknown | End::Open => journal.length,
        };
        let mut window = Window::new(&*journal.file, limit);
        let mut at = FILE_HEADER as u64;
        while at < limit {
            let cannot = |e| failed(&format!("read {}", journal.place(at)), e);
            let record = scan_from(&mut window, at, journal.id.salt, self.read);
            let (place, record) = record.map_err(cannot)?;
            at = match record {
                Found::Record {
                    header,
                    record,
                    steps,
                    damaged,
                    mended,
                } if damaged.is_empty() || self.is_below(&found[index..], place)? => {
                    if mended {
                        mend_record(journal, place, &header, &record).map_err(cannot)?;
                    }
                    self.apply(journal.place(place), &header, steps)?;
                    self.close_logs(journal.place(place), &damaged);
                    place + record.len() as u64
                }
                _ if self.is_below(&found[index..], at)? => {
                    let unused = first_nonzero(&mut window, at).map_err(cannot)?.is_none();
                    if unused && matches!(end, End::Open) {
                        // What a checkpoint counts besides was in a file that is gone.
                        break;
                    }
                    self.pass(journal, &mut window, at, limit)?
                }
                _ => {
                    self.end = journal.place(at);
                    return Ok(false);
                }
            };
        }
        self.end = journal.place(at);
        Ok(!matches!(end, End::Open))
    }

    /// A file without a link ends the journal before it, unless a checkpoint counts what is in it.
    fn pass_unlinked(&mut self, number: u32) -> Result<bool> {
        if self.read >= self.contents.seq {
            return Ok(false);
        }
        let skip = self.accepted.pass(Skip::file(number));
        skip.ok_or_else(|| no_header(number))?;
        self.given_up = self.given_up.max(number);
        Ok(true)
    }

    /// Goes on with a file, which should follow what was read so far.
    fn follow(&mut self, journal: &Journal, link: &Link) -> Result<()> {
        let (number, seq) = (journal.id.number, link.previous_seq);
        let to_the_end = |skip: &Skip| skip.from.file == number - 1 && skip.to >= link.previous_end;
        if self.passed.as_ref().is_some_and(to_the_end) {
            // What was given up reaches to this file.
        } else if self.accepted.knows_file(number - 1) {
            self.passed = Some(Skip::file(number - 1));
        } else if self.accepted.knows(journal.place(0)) {
            self.passed = Some(Skip::before(number, seq));
        } else if number != self.first_file && seq != self.read {
            self.passed = Some(self.pass_between(number, seq)?);
        }
        self.read = seq;
        Ok(())
    }

    /// Passes over the commits up to `seq` that are in no file before file `number`.
    fn pass_between(&mut self, number: u32, seq: u64) -> Result<Skip> {
        let between = Skip::before(number, seq);
        // A checkpoint tells what they did, and the logs which of their entries are missing; the store
        // has been opened like that before.
        if (self.read..=self.contents.seq).contains(&seq) {
            return Ok(between);
        }
        self.accepted.pass(between).ok_or_else(|| {
            corrupt(format!(
                "{} goes on behind commit {seq}, but the journal before it ends with {}{ADVICE}",
                journal_name(number),
                self.read
            ))
        })
    }

    /// Goes on behind damage that is given up; returns where.
    fn pass(
        &mut self,
        journal: &Journal,
        window: &mut Window<'_>,
        at: u64,
        limit: u64,
    ) -> Result<u64> {
        let cannot = |e| failed(&format!("read {}", journal.place(at)), e);
        // A file whose end is not known: the next one says whether it is all.
        if limit == journal.length && first_nonzero(window, at).map_err(cannot)?.is_none() {
            return Ok(limit);
        }
        let next = find_record(window, at + 1, journal.id.salt, self.read).map_err(cannot)?;
        let rest = (limit, self.read.max(self.contents.seq));
        let (to, seq) = next.map_or(rest, |(to, next)| (to, next.seq - 1));
        let skip = Skip {
            from: journal.place(at),
            to: journal.place(to).at,
            seq,
        };
        let skip = self.accepted.pass(skip);
        let skip = skip.ok_or_else(|| unknown_damage(journal, at))?;
        tracing::warn!(%skip, "passed over what was given up");
        (self.read, self.passed) = (skip.seq, Some(skip));
        Ok(skip.to.into())
    }

    /// Whether `at` in the first of `found` is known to be synced, by anything before or behind it.
    fn is_below(&mut self, found: &[Journal], at: u64) -> Result<bool> {
        // What a checkpoint counts was synced before it was written.
        let counted = self.read < self.contents.seq;
        let place = found[0].place(at);
        // What a file that is given up knew cannot be told.
        if counted || self.synced > place || self.given_up > place.file {
            return Ok(true);
        }
        if !std::mem::replace(&mut self.looked, true) {
            let synced = known_synced(found, at);
            let synced = synced.map_err(|e| failed(&format!("read behind {place}"), e))?;
            self.synced = self.synced.max(synced);
        }
        Ok(self.synced > place)
    }

    fn apply(&mut self, place: Position, header: &RecordHeader, steps: Vec<Step>) -> Result<()> {
        self.synced = self.synced.max(header.synced);
        self.read = header.seq;
        let counted = header.seq <= self.contents.seq;
        if !counted {
            self.contents.seq = header.seq;
            self.contents.epoch.0 = self.contents.epoch.0.max(header.epoch);
        }
        for step in steps {
            match step {
                Step::Append(append) if counted => self.find_again(place, &append),
                Step::Append(append) => self.append(place, &append)?,
                Step::Other(Op::DropLog { log }) if counted => {
                    let log = self.contents.logs.get_mut(&log);
                    log.into_iter().for_each(Log::find_anew);
                }
                Step::Other(_) if counted => {}
                Step::Other(op) => self.contents.apply(op),
            }
        }
        Ok(())
    }

    /// The checkpoint counts this entry; only where it lies is missing.
    fn find_again(&mut self, place: Position, append: &Append) {
        if let Some(log) = self.contents.logs.get_mut(&append.log) {
            if let Some(skip) = &self.passed {
                log.bridge_counted(append.offsets().start, &skip.why());
            }
            log.find_again(append.head.without_body(), append.extent(place));
        }
    }

    fn append(&mut self, place: Position, append: &Append) -> Result<()> {
        if let Some(skip) = &self.passed {
            let base = append.offsets().start;
            if self.contents.log(append.log).bounds().end > base {
                self.contents.apply(Op::DropLog { log: append.log });
            }
            let log = self.contents.log(append.log);
            log.bridge(base, &skip.why());
        }
        let log = self.contents.log(append.log);
        log.recover(append.head.without_body(), append.extent(place))
            .map_err(|error| corrupt(format!("{place}: {}", error.message())))
    }

    fn close_logs(&mut self, place: Position, damaged: &[(LogId, Range<Offset>)]) {
        for (log, offsets) in damaged {
            let why = format!("offset {} is damaged in {place}", offsets.start);
            tracing::error!(log = name(*log), "{why}");
            self.contents.log(*log).lose(offsets, why);
        }
    }
}

/// A log as a person can look for it.
pub(crate) fn name(log: LogId) -> String {
    format!("topic {} partition {}", log.topic.0, log.partition)
}

/// The flag is the journal's own matter: what is read back is as it was appended.
pub(crate) fn without_reference(flags: Flags) -> Flags {
    Flags(flags.0 & !Flags::BODY_BY_REFERENCE.0)
}

fn unknown_damage(journal: &Journal, at: u64) -> Error {
    corrupt(format!(
        "{} holds no whole record, but it was synced; which logs are hit cannot be told, so the \
         store stays closed{ADVICE}",
        journal.place(at)
    ))
}

pub(super) fn corrupt(message: String) -> Error {
    tracing::error!("{message}");
    Error::new(ErrorKind::Corrupt, OPERATION, message)
}

pub(super) fn failed(what: &str, error: io::Error) -> Error {
    Error::new(ErrorKind::Permanent, OPERATION, format!("cannot {what}")).with_source(error)
}
