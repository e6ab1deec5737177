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
    /// Offsets that cannot be read; the file is named.
    Damaged(Range<Offset>, String),
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
    for run in log.runs() {
        let name = segment_name(run.segment);
        let cannot = |error| unreadable(id, &name, error);
        let file = disk.open(&name).map_err(cannot)?;
        let mut walk = walk(&*file, run, start.max(run.base)).map_err(cannot)?;
        while let Some(found) = walk.next().map_err(cannot)? {
            match found {
                Found::Entry(entry) if entry.end_offset() <= start => {}
                Found::Entry(entry) => visit(Stored::Entry(entry))?,
                Found::Body(lost) | Found::Lost(lost) if lost.end <= start => {}
                Found::Body(lost) | Found::Lost(lost) => {
                    visit(Stored::Damaged(lost, name.clone()))?;
                }
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
                Ok(entry) => visit(Stored::Entry(entry))?,
                Err(_) => visit(Stored::Damaged(*base..end, name.clone()))?,
            }
        }
    }
    Ok(())
}

fn unreadable(log: LogId, file: &str, error: std::io::Error) -> Error {
    let message = format!("cannot read {file}, which holds entries of {}", log.topic.0);
    Error::new(ErrorKind::Permanent, "inspect store", message).with_source(error)
}
