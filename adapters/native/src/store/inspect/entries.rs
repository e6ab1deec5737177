//! All entries of a log, past what is damaged.

use std::ops::Range;

use standpipe_core::{
    entry::Entry,
    error::{Error, ErrorKind},
    id::{LogId, Offset},
};

use crate::store::{
    files::Files,
    log::Log,
    position::journal_name,
    reader::spans,
    segment::{Found, segment_name, walk},
    vfs::{Disk, Wait},
};

/// What stands at a place in a log.
#[derive(Debug)]
pub enum Stored {
    /// An entry, as it was appended.
    Entry(Entry),
    /// Offsets that cannot be read and were not given up. The file is named, unless what held them is
    /// gone, or they were damaged before they moved.
    Damaged(Range<Offset>, Option<String>),
}

/// Visits what `log` holds, in order.
///
/// # Errors
/// `Permanent` where a file cannot be read, and what `visit` returns.
pub(super) fn visit<E: From<Error>>(
    (disk, files): (&dyn Disk, &Files),
    (id, log): (LogId, &Log),
    mut visit: impl FnMut(Stored) -> Result<(), E>,
) -> Result<(), E> {
    let start = log.bounds().start;
    let mut teller = Teller {
        log,
        next: start,
        visit: &mut visit,
    };
    for run in log.runs() {
        let name = segment_name(run.segment);
        let cannot = |error| unreadable(id, &name, error);
        let file = disk.open(&name).map_err(cannot)?;
        let mut walk = walk(&*file, run, start.max(run.base)).map_err(cannot)?;
        while let Some(found) = walk.next().map_err(cannot)? {
            match found {
                Found::Entry(entry) => teller.entry(entry)?,
                Found::Body(lost) | Found::Lost(lost) => teller.damaged(lost, &name)?,
            }
        }
    }
    let places: Vec<_> = log.in_journal().collect();
    let ends = places.iter().skip(1).map(|(base, _)| *base);
    let mut ends = ends.chain([log.bounds().end]);
    for (span, these) in spans(&places) {
        let name = journal_name(these[0].1.file);
        let octets = span
            .read(files, Wait::ForDevice)
            .map_err(|e| unreadable(id, &name, e))?;
        for ((base, extent), end) in these.iter().zip(&mut ends) {
            match span.entry(&octets, extent) {
                Ok(entry) => teller.entry(entry)?,
                Err(_) => teller.damaged(*base..end, &name)?,
            }
        }
    }
    teller.lost_before(log.bounds().end)
}

/// Hands on what is found, and before it what is known to be lost since what was found last.
struct Teller<'a, E> {
    log: &'a Log,
    /// Behind what was told.
    next: Offset,
    visit: &'a mut dyn FnMut(Stored) -> Result<(), E>,
}

impl<E> Teller<'_, E> {
    fn entry(&mut self, entry: Entry) -> Result<(), E> {
        let end = entry.end_offset();
        if end <= self.log.bounds().start {
            return Ok(());
        }
        self.lost_before(entry.base_offset)?;
        self.next = end;
        (self.visit)(Stored::Entry(entry))
    }

    fn damaged(&mut self, lost: Range<Offset>, file: &str) -> Result<(), E> {
        let needed = lost.start.max(self.log.bounds().start)..lost.end;
        if self.log.forgotten().cover(&needed) {
            return Ok(());
        }
        self.lost_before(lost.start)?;
        self.next = lost.end;
        (self.visit)(Stored::Damaged(lost, Some(file.to_owned())))
    }

    /// What is known to be lost below `base` and is in no file.
    fn lost_before(&mut self, base: Offset) -> Result<(), E> {
        let lost = self.log.loss().ranges().within(&(self.next..base));
        for lost in lost.iter() {
            (self.visit)(Stored::Damaged(lost, None))?;
        }
        Ok(())
    }
}

fn unreadable(log: LogId, file: &str, error: std::io::Error) -> Error {
    let message = format!("cannot read {file}, which holds entries of {}", log.topic.0);
    Error::new(ErrorKind::Permanent, "inspect store", message).with_source(error)
}
