//! What is in the journal when a store is opened.
//!
//! Damage at or above the highest position known to be synced is the torn tail, and is cut there.
//! Below, it is corruption: a damaged body closes its log, and where the damage hides which logs
//! it hit, the store does not open. Nothing is written but the cut, so recovery can be cut short
//! and repeated.

use std::{io, sync::Arc};

use standpipe_core::{
    entry::Flags,
    error::{Error, ErrorKind, Result},
    id::{LogId, Offset},
};

use super::{
    contents::Contents,
    files::Files,
    header::{FILE_HEADER, FileHeader, RecordHeader},
    position::{Position, journal_name, journal_number},
    record::Extent,
    scan::{Found, look_behind, scan_from},
    step::{Append, Step},
    vfs::{Disk, File, read_full_at},
    window::{Window, first_nonzero},
};

const OPERATION: &str = "open store";

/// A store as recovery left it.
pub(crate) struct Recovered {
    pub(crate) contents: Contents,
    pub(crate) files: Files,
    /// Where the journal ends; synced.
    pub(crate) end: Position,
    /// The incarnation of what is written from now on.
    pub(crate) incarnation: u32,
}

/// Reads the whole journal.
///
/// # Errors
/// `Corrupt` for damage below the synced position that cannot be isolated, with file and offset;
/// `Permanent` where a file cannot be read.
pub(crate) fn recover(disk: &dyn Disk) -> Result<Recovered> {
    let mut found = open_files(disk)?;
    drop_unfinished(disk, &mut found)?;
    let mut recovery = Recovery::default();
    for (index, journal) in found.iter().enumerate() {
        let end = found.get(index + 1).map(|next| next.header.previous_end);
        recovery.read(journal, end)?;
    }
    let files = Files::default();
    for journal in &found {
        files.insert(journal.header.number, journal.file.clone());
    }
    Ok(Recovered {
        contents: recovery.contents,
        files,
        end: recovery.end,
        incarnation: found.last().map_or(0, |last| last.header.incarnation + 1),
    })
}

struct Journal {
    file: Arc<dyn File>,
    length: u64,
    header: FileHeader,
}

impl Journal {
    fn place(&self, at: u64) -> Position {
        Position::new(self.header.number, u32::try_from(at).unwrap_or(u32::MAX))
    }
}

/// Opens all files in order. The last one's header may be missing, which makes it number 0.
fn open_files(disk: &dyn Disk) -> Result<Vec<Journal>> {
    let names = disk.names().map_err(|e| failed("list the journal", e))?;
    let mut numbers: Vec<_> = names.iter().filter_map(|n| journal_number(n)).collect();
    numbers.sort_unstable();
    let mut found = Vec::new();
    for (expected, number) in (1u32..).zip(numbers.iter().copied()) {
        if number != expected {
            return Err(corrupt(format!("{} is missing", journal_name(expected))));
        }
        found.push(open_file(disk, number, expected as usize == numbers.len())?);
    }
    Ok(found)
}

fn open_file(disk: &dyn Disk, number: u32, is_last: bool) -> Result<Journal> {
    let cannot = |error| failed(&format!("read {}", journal_name(number)), error);
    let file = disk.open(&journal_name(number)).map_err(cannot)?;
    let length = file.len().map_err(cannot)?;
    let mut start = [0; FILE_HEADER];
    let read = read_full_at(&*file, &mut start, 0).map_err(cannot)?;
    let header = match FileHeader::decode(&start[..read]).filter(|h| h.number == number) {
        Some(header) => header,
        None if is_last && is_unfinished(&*file, length).map_err(cannot)? => FileHeader {
            number: 0,
            salt: 0,
            incarnation: 0,
            previous_end: 0,
            previous_seq: 0,
        },
        None => {
            return Err(corrupt(format!(
                "{} does not begin as a journal file does; its records cannot be told from others",
                journal_name(number)
            )));
        }
    };
    Ok(Journal {
        file,
        length,
        header,
    })
}

/// A header is synced before the first record is written: without either, the file was only begun.
fn is_unfinished(file: &dyn File, length: u64) -> io::Result<bool> {
    let mut window = Window::new(file, length);
    Ok(first_nonzero(&mut window, FILE_HEADER as u64)?.is_none())
}

fn drop_unfinished(disk: &dyn Disk, found: &mut Vec<Journal>) -> Result<()> {
    if found.last().is_some_and(|last| last.header.number == 0) {
        let name = journal_name(u32::try_from(found.len()).unwrap_or(u32::MAX));
        disk.remove(&name)
            .map_err(|e| failed(&format!("remove the unfinished {name}"), e))?;
        found.pop();
        tracing::info!(file = name, "removed a journal file that was only begun");
    }
    Ok(())
}

#[derive(Default)]
struct Recovery {
    contents: Contents,
    /// The highest position that anything read so far knows to be synced.
    synced: Position,
    end: Position,
}

impl Recovery {
    /// Reads a file's records up to `end`; up to the torn tail where it is the last.
    fn read(&mut self, journal: &Journal, end: Option<u32>) -> Result<()> {
        if journal.header.previous_seq != self.contents.seq {
            return Err(corrupt(format!(
                "{} goes on behind commit {}, but the journal before it ends with {}",
                journal_name(journal.header.number),
                journal.header.previous_seq,
                self.contents.seq
            )));
        }
        self.synced = self.synced.max(journal.place(0));
        let limit = end.map_or(journal.length, u64::from);
        let mut window = Window::new(&*journal.file, limit);
        let mut at = FILE_HEADER as u64;
        while end.is_none() || at < limit {
            let cannot = |e| failed(&format!("read {}", journal.place(at)), e);
            let found = scan_from(&mut window, at, journal.header.salt, self.contents.seq);
            let (place, found) = found.map_err(cannot)?;
            at = match found {
                Found::Record {
                    header,
                    record,
                    steps,
                    damaged,
                } if damaged.is_empty() || self.is_below(journal, place, end)? => {
                    self.apply(journal.place(place), &header, steps)?;
                    self.close_logs(journal.place(place), &damaged);
                    place + record.len() as u64
                }
                _ if self.is_below(journal, at, end)? => return Err(unknown_damage(journal, at)),
                _ => break,
            };
        }
        self.end = journal.place(at);
        if end.is_none() {
            cut(journal, at)?;
        }
        Ok(())
    }

    /// Whether `at` is known to be synced, by anything before or behind it.
    fn is_below(&mut self, journal: &Journal, at: u64, end: Option<u32>) -> Result<bool> {
        if end.is_some() || self.synced > journal.place(at) {
            return Ok(true);
        }
        let mut window = Window::new(&*journal.file, journal.length);
        let behind = look_behind(&mut window, at, journal.header.salt)
            .map_err(|e| failed(&format!("read {}", journal.place(at)), e))?;
        self.synced = self.synced.max(behind.synced);
        Ok(self.synced > journal.place(at))
    }

    fn apply(&mut self, place: Position, header: &RecordHeader, steps: Vec<Step>) -> Result<()> {
        self.synced = self.synced.max(header.synced);
        self.contents.seq = header.seq;
        self.contents.epoch.0 = self.contents.epoch.0.max(header.epoch);
        for step in steps {
            match step {
                Step::Other(op) => self.contents.apply(op),
                Step::Append(append) => self.append(place, append)?,
            }
        }
        Ok(())
    }

    fn append(&mut self, place: Position, append: Append) -> Result<()> {
        let inside = |at: usize| u32::try_from(at).expect("a record is below 4 GiB");
        let extent = Extent {
            file: place.file,
            head: place.at + inside(append.head_at),
            head_length: inside(append.head_length),
            body: place.at + inside(append.body_at),
            body_length: inside(append.head.body_length()),
        };
        let log = self.contents.log(append.log);
        log.recover(append.head.without_body(), extent)
            .map_err(|error| corrupt(format!("{place}: {}", error.message())))
    }

    fn close_logs(&mut self, place: Position, damaged: &[(LogId, Offset)]) {
        for (log, offset) in damaged {
            let error = Error::new(
                ErrorKind::Corrupt,
                "commit",
                format!(
                    "{}: offset {offset} is damaged in {place}; the log takes nothing more",
                    name(*log)
                ),
            );
            tracing::error!(%place, log = name(*log), %offset, "a stored body is damaged");
            self.contents.log(*log).damage(error);
        }
    }
}

/// Ends the file behind its last whole record, and syncs it: what is served from now on stays.
fn cut(journal: &Journal, at: u64) -> Result<()> {
    let cannot = |e| failed(&format!("cut {}", journal.place(at)), e);
    let mut window = Window::new(&*journal.file, journal.length);
    let behind = look_behind(&mut window, at, journal.header.salt).map_err(cannot)?;
    if behind.end > at {
        let (octets, place) = (behind.end - at, journal.place(at));
        tracing::warn!(%place, octets, "cut the torn tail, which nobody was told was on disk");
    }
    if journal.length > at {
        journal.file.set_len(at).map_err(cannot)?;
    }
    journal.file.sync().map_err(cannot)
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
         store stays closed; restore the file from a copy",
        journal.place(at)
    ))
}

fn corrupt(message: String) -> Error {
    tracing::error!("{message}");
    Error::new(ErrorKind::Corrupt, OPERATION, message)
}

fn failed(what: &str, error: io::Error) -> Error {
    Error::new(ErrorKind::Permanent, OPERATION, format!("cannot {what}")).with_source(error)
}
