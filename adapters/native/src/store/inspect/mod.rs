//! Looking at a store that is not running, without changing it.
//!
//! Recovery runs as it would when the store is opened, but over a disk that keeps its changes in
//! memory: so what is said here is what a start would find.

mod check;
mod checkpoints;
mod entries;
mod finding;
mod journal;
mod overlay;
mod read_only;
mod segments;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use bytes::Bytes;
use standpipe_core::{
    error::{Error, ErrorKind, Result},
    id::LogId,
    store::{LogBounds, Op},
};

pub use check::Checked;
pub use entries::Stored;
pub use finding::{Finding, Severity};

pub(crate) use self::overlay::Overlay;
use self::{
    journal::{Swept, sweep},
    read_only::ReadOnly,
};
use super::{
    accepted::{Accepted, More},
    log::Log,
    ownership::{Lock, known_format},
    position::Position,
    recovery::{Recovered, newest_checkpoint, recover_past},
    segment::segment_number,
    step::Step,
    vfs::Disk,
};

const OPERATION: &str = "inspect store";

/// A store that is not running, held against one that starts, and never written to.
pub struct Inspection {
    overlay: Overlay,
    recovered: Result<Recovered>,
    /// What was given up, where it is known.
    accepted: Option<Accepted>,
    keys: BTreeMap<Bytes, Bytes>,
    first_file: u32,
    next_segment: u64,
    _lock: Option<Lock>,
}

/// What a log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogStat {
    /// Which one.
    pub log: LogId,
    /// Its ends, and the octets of all bodies.
    pub bounds: LogBounds,
    /// Entries; some that were trimmed a moment ago may still count.
    pub entries: u64,
    /// Segments that hold some of it.
    pub segments: u64,
    /// Octets of bodies in segments; the others are in the journal.
    pub segment_octets: u64,
    /// Offsets that are known to be damaged or gone, and were not given up.
    pub lost: u64,
}

/// A file in the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileStat {
    /// Its name.
    pub name: String,
    /// Octets in it, holes included.
    pub octets: u64,
}

impl Inspection {
    /// Opens the store in `directory` for reading. A store whose damage keeps it closed can be
    /// checked all the same. Blocks while it reads the journal.
    ///
    /// # Errors
    /// `NotFound` where there is no store, `Denied` where a process has it (its pid is named),
    /// `Unsupported` for an unknown format version, `Permanent` where a file cannot be read.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self> {
        let path = directory.as_ref();
        known_format(path)?;
        let lock = Lock::look(path)?;
        Self::over(Arc::new(ReadOnly::new(path)), lock)
    }

    pub(crate) fn over(disk: Arc<dyn Disk>, lock: Option<Lock>) -> Result<Self> {
        let overlay = Overlay::new(disk);
        let names = overlay.names().map_err(unreadable)?;
        let (checkpoint, facts, _) = newest_checkpoint(&overlay, &names)?;
        let (recovered, accepted) = match recover_past(&overlay, More::Refused) {
            Ok((recovered, accepted)) => (Ok(recovered), Some(accepted)),
            Err(error) if error.kind() == ErrorKind::Corrupt => (Err(error), None),
            Err(error) => return Err(error),
        };
        let keys = match &recovered {
            Ok(recovered) => recovered.contents.keys.clone(),
            Err(_) => keys_past_damage(&overlay, checkpoint.keys, facts.first_file)?,
        };
        Ok(Self {
            overlay,
            recovered,
            accepted,
            keys,
            first_file: facts.first_file,
            next_segment: facts.next_segment,
            _lock: lock,
        })
    }

    /// Verifies every checksum of journal, segments, indexes and checkpoints; what is wrong goes
    /// to `report`. Blocks.
    ///
    /// # Errors
    /// `Permanent` where a file cannot be read.
    pub fn check(&self, mut report: impl FnMut(Finding)) -> Result<Checked> {
        check::check(self, &mut report).map_err(unreadable)
    }

    /// Keys with their values, as far as they can be read: what the store's user wrote about it.
    #[must_use]
    pub fn keys(&self) -> &BTreeMap<Bytes, Bytes> {
        &self.keys
    }

    /// What each log holds, by id.
    ///
    /// # Errors
    /// `Corrupt` where damage keeps the store closed.
    pub fn logs(&self) -> Result<Vec<LogStat>> {
        let contents = &self.recovered()?.contents;
        let mut logs: Vec<_> = contents
            .logs
            .iter()
            .map(|(id, log)| LogStat {
                log: *id,
                bounds: log.bounds(),
                entries: log.runs().map(|run| run.entries).sum::<u64>()
                    + log.in_journal().count() as u64,
                segments: log.runs().count() as u64,
                segment_octets: log.runs().map(|run| run.octets).sum(),
                lost: lost_offsets(log),
            })
            .collect();
        logs.sort_unstable_by_key(|stat| (stat.log.topic.0, stat.log.partition.0));
        Ok(logs)
    }

    /// Every file in the directory, by name.
    ///
    /// # Errors
    /// `Permanent` where the directory cannot be read.
    pub fn files(&self) -> Result<Vec<FileStat>> {
        let below = self.overlay.below();
        let mut names = below.names().map_err(unreadable)?;
        names.sort_unstable();
        names
            .into_iter()
            .map(|name| {
                let length = below.open(&name).and_then(|file| file.len());
                let octets = length.map_err(unreadable)?;
                Ok(FileStat { name, octets })
            })
            .collect()
    }

    /// Visits what `log` holds, in order, past what is damaged. Blocks.
    ///
    /// # Errors
    /// `Corrupt` where damage keeps the store closed, `Permanent` where a file cannot be read,
    /// and what `visit` returns.
    pub fn entries<E: From<Error>>(
        &self,
        log: LogId,
        visit: impl FnMut(Stored) -> Result<(), E>,
    ) -> Result<(), E> {
        let recovered = self.recovered()?;
        match recovered.contents.logs.get(&log) {
            Some(found) => entries::visit((&self.overlay, &recovered.files), (log, found), visit),
            None => Ok(()),
        }
    }

    /// Whether somebody needs some of what a finding takes; where that cannot be told, yes.
    fn misses(&self, finding: &Finding) -> bool {
        let Ok(recovered) = &self.recovered else {
            return true;
        };
        let logs = &recovered.contents.logs;
        let Some((log, offsets)) = finding.log.zip(finding.offsets.as_ref()) else {
            // A segment that does not say whose it was: what is missed of it is known by now.
            let whole = |log: &Log| log.loss().ranges().is_empty();
            return segment_number(&finding.file).is_none() || !logs.values().all(whole);
        };
        logs.get(&log).is_some_and(|log| {
            let needed = offsets.start.max(log.bounds().start)..offsets.end;
            !log.forgotten().cover(&needed)
        })
    }

    /// Whether what is damaged at a place of the journal was given up.
    fn is_given_up(&self, place: Position) -> bool {
        let accepted = self.accepted.as_ref();
        accepted.is_some_and(|accepted| accepted.knows(place))
    }

    fn recovered(&self) -> Result<&Recovered> {
        self.recovered.as_ref().map_err(Clone::clone)
    }
}

impl std::fmt::Debug for Inspection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inspection").finish_non_exhaustive()
    }
}

fn lost_offsets(log: &Log) -> u64 {
    let ranges = log.loss().ranges().iter();
    ranges.map(|range| range.end.0 - range.start.0).sum()
}

/// Keys as the checkpoint has them and as every record changed them that can be read.
fn keys_past_damage(
    disk: &dyn Disk,
    mut keys: BTreeMap<Bytes, Bytes>,
    first_file: u32,
) -> Result<BTreeMap<Bytes, Bytes>> {
    let swept = sweep(disk, first_file, None, &mut |swept| {
        let Swept::Record(_, steps, _) = swept else {
            return;
        };
        for step in steps {
            match step {
                Step::Other(Op::PutIf {
                    key,
                    value: Some(value),
                    ..
                }) => {
                    keys.insert(key.clone(), value.clone());
                }
                Step::Other(Op::PutIf {
                    key, value: None, ..
                }) => {
                    keys.remove(key);
                }
                _ => {}
            }
        }
    });
    swept.map_err(unreadable)?;
    Ok(keys)
}

fn unreadable(error: std::io::Error) -> Error {
    let message = "cannot read the store's files";
    Error::new(ErrorKind::Permanent, OPERATION, message).with_source(error)
}
