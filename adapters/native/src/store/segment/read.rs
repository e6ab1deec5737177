//! Reading from a run of a segment.

use std::{io, ops::Range};

use standpipe_core::{
    entry::Entry,
    error::{Error, ErrorKind, Result},
    id::{LogId, Millis, Offset},
    ranges::Ranges,
    store::{Keep, ReadLimit},
};

use super::{Found, Run, Segments, Walk, point::Point, segment_name};
use crate::store::{log::Room, recovery::name, vfs::Wait};

/// Entries of `log` in `run` from the one that covers `from` on.
///
/// # Errors
/// `Corrupt` where the first of them is damaged, with file and offsets; `Transient` where the file
/// cannot be read, or not all of it without waiting where it must not wait.
pub(crate) fn read(
    segments: &Segments,
    (log, run): (LogId, &Run),
    from: Offset,
    limit: ReadLimit,
    wait: Wait,
) -> Result<Vec<Entry>> {
    let cannot = |error: io::Error| unreadable(log, run, from, error);
    let (file, points) = segments.run(run, wait).map_err(cannot)?;
    let mut walk = Walk::new(&*file, run, points, from).reading(octets(run, limit), wait);
    let mut room = Room::new(limit);
    let mut entries = Vec::with_capacity(about(run, limit));
    while let Some(found) = walk.next().map_err(cannot)? {
        let entry = match found {
            Found::Entry(entry) => entry,
            Found::Body(lost) | Found::Lost(lost) if lost.end <= from => continue,
            Found::Body(_) | Found::Lost(_) if !entries.is_empty() => break,
            Found::Body(lost) | Found::Lost(lost) => return Err(damaged(log, run, &lost)),
        };
        if entry.end_offset() <= from {
            continue;
        }
        if !room.takes(entry.body().len()) {
            break;
        }
        entries.push(entry);
    }
    Ok(entries)
}

/// The first entry of `run` at or behind `from` whose time is at or after `at`, past what is
/// `forgotten`. Blocks.
///
/// # Errors
/// As [`read`]; what is damaged is passed over.
pub(crate) fn entry_for_time(
    segments: &Segments,
    (log, run): (LogId, &Run),
    (from, forgotten): (Offset, &Ranges),
    at: Millis,
) -> Result<Option<Entry>> {
    let cannot = |error: io::Error| unreadable(log, run, from, error);
    let (file, points) = segments.run(run, Wait::ForDevice).map_err(cannot)?;
    let is_needed = |base: Offset, end: Offset| !forgotten.cover(&(base.max(from)..end));
    let is_it = |entry: &Entry| {
        entry.draft.visible > 0
            && entry.time() >= at
            && is_needed(entry.base_offset, entry.end_offset())
    };
    for (index, point) in points.iter().enumerate() {
        let end = points.get(index + 1).map_or(run.end, |next| next.base);
        if point.latest < at.0 || !is_needed(point.base, end) {
            continue;
        }
        let walk = Walk::new(&*file, run, points.clone(), point.base.max(from));
        let mut walk = walk.reading(0, Wait::ForDevice);
        while let Some(found) = walk.next().map_err(cannot)? {
            match found {
                // What follows is in another stretch, which may have none.
                Found::Entry(entry) if entry.base_offset >= end => break,
                Found::Entry(entry) if is_it(&entry) => return Ok(Some(entry)),
                Found::Entry(_) | Found::Body(_) | Found::Lost(_) => {}
            }
        }
    }
    Ok(None)
}

/// The last point of `run` below which everything may go; its base where there is none.
pub(crate) fn trim_point(segments: &Segments, run: &Run, keep: Keep) -> io::Result<Offset> {
    let (_, points) = segments.run(run, Wait::ForDevice)?;
    let goes = |point: &&Point| match keep {
        Keep::Octets(octets) => run.octets - point.octets.min(run.octets) >= octets,
        Keep::Since(at) => point.appended < at,
    };
    let last = points.iter().take_while(goes).last();
    Ok(last.map_or(run.base, |point| point.base))
}

/// Octets that a read takes, about: a few small entries are not worth all that its limit allows.
fn octets(run: &Run, limit: ReadLimit) -> usize {
    let each = run.length / run.entries.max(1) + 1;
    let each = usize::try_from(each).unwrap_or(usize::MAX);
    limit.bytes.min(limit.entries.saturating_mul(each))
}

/// Entries that a read gives, about.
fn about(run: &Run, limit: ReadLimit) -> usize {
    let each = run.octets / run.entries.max(1);
    let fit = limit.bytes as u64 / each.max(1) + 1;
    limit.entries.min(fit.min(run.entries) as usize)
}

fn damaged(log: LogId, run: &Run, lost: &Range<Offset>) -> Error {
    let message = format!(
        "{}: offsets {} to {} in {} are damaged",
        name(log),
        lost.start,
        lost.end.0 - 1,
        segment_name(run.segment),
    );
    Error::new(ErrorKind::Corrupt, "read log", message)
}

fn unreadable(log: LogId, run: &Run, from: Offset, error: io::Error) -> Error {
    let file = segment_name(run.segment);
    let message = format!("{}: offset {from} in {file} cannot be read", name(log));
    Error::new(ErrorKind::Transient, "read log", message).with_source(error)
}
