//! Copying what is still needed of a log into a segment: from the journal, or from a run.

use std::{io, ops::Range};

use standpipe_core::{
    entry::EntryHead,
    id::{LogId, Offset},
    ranges::Ranges,
};

use super::{Found, Run, SegmentWriter, walk};
use crate::store::{
    position::Position,
    reader::{Octets, Span, spans},
    record::Extent,
    shared::Shared,
    vfs::{Wait, is_passing},
};

/// Entries looked up at once, so that appends do not wait long behind it.
const BATCH: usize = 2048;

/// Copies the entries below `below` that nobody has let go of, octet for octet, of the log that was
/// born with commit `born`; returns the
/// entries that could not be, since the journal is damaged there.
///
/// # Errors
/// What reading the journal or writing the segment gives.
pub(crate) fn copy_log(
    shared: &Shared,
    (log, born): (LogId, u64),
    below: Offset,
    segment: &mut SegmentWriter,
) -> io::Result<Vec<(Offset, Position)>> {
    let mut after = None;
    let mut lost = Vec::new();
    segment.begin(log, born);
    loop {
        let places = {
            let state = shared.state.lock();
            // One that was dropped and has come again is another log: its entries stay where they are.
            let found = state.contents.logs.get(&log);
            let Some(found) = found.filter(|log| log.born() == born) else {
                return segment.end().map(|_| lost);
            };
            found.wanted(after, below, BATCH)
        };
        let Some((last, _)) = places.last() else {
            return segment.end().map(|_| lost);
        };
        after = Some(*last);
        for (span, these) in spans(&places) {
            let octets = span.read(&shared.files, Wait::ForDevice)?;
            for (base, extent) in these {
                if !copy_entry(span, &octets, extent, segment)? {
                    lost.push((*base, Position::new(extent.file, extent.head)));
                }
            }
        }
    }
}

/// Copies the entries of `run` that somebody still needs, octet for octet; says whether there are any.
/// `None` where one of them is damaged or cannot be read: then the run is to stay as it is.
///
/// # Errors
/// What writing the segment gives, and a want of descriptors or memory: the run can be read later.
pub(crate) fn copy_run(
    shared: &Shared,
    (log, run): (LogId, &Run),
    (start, forgotten): (Offset, &Ranges),
    segment: &mut SegmentWriter,
) -> io::Result<Option<bool>> {
    let file = match shared.segments.get(run.segment) {
        Ok(file) => file,
        Err(error) => return unread(run, error),
    };
    let mut walk = match walk(&*file, run, start.max(run.base)) {
        Ok(walk) => walk,
        Err(error) => return unread(run, error),
    };
    segment.begin(log, run.born);
    loop {
        let found = match walk.next() {
            Ok(Some(found)) => found,
            Ok(None) => return segment.end().map(Some),
            Err(error) => {
                segment.give_up();
                return unread(run, error);
            }
        };
        let is_needed = |offsets: &Range<Offset>| offsets.end > start && !forgotten.cover(offsets);
        match found {
            Found::Entry(entry) if is_needed(&(entry.base_offset..entry.end_offset())) => {
                segment.entry(walk.envelope(), entry.body(), &entry)?;
            }
            Found::Entry(_) => {}
            Found::Body(lost) | Found::Lost(lost) if !is_needed(&lost) => {}
            Found::Body(_) | Found::Lost(_) => {
                segment.give_up();
                return Ok(None);
            }
        }
    }
}

/// One run that cannot be read holds up no other; a want that passes is none of its own.
fn unread(run: &Run, error: io::Error) -> io::Result<Option<bool>> {
    if is_passing(&error) {
        return Err(error);
    }
    let (segment, at) = (run.segment, run.at);
    tracing::warn!(segment, at, %error, "cannot read a run; its space stays taken");
    Ok(None)
}

/// `false` where the envelope has been damaged since it was written.
fn copy_entry(
    span: Span,
    octets: &Octets,
    extent: &Extent,
    segment: &mut SegmentWriter,
) -> io::Result<bool> {
    let Ok((head, body)) = span.parts(octets, extent) else {
        return Ok(false);
    };
    let Ok((read, _)) = EntryHead::decode(&head, 0) else {
        return Ok(false);
    };
    segment.entry(&head, &body, read.without_body())?;
    Ok(true)
}
