//! Finding entries wherever they lie. All of it blocks on the disk.

use std::{io, sync::Arc};

use standpipe_core::{
    entry::Entry,
    error::{Error, ErrorKind, Result},
    id::{LogId, Millis, Offset},
    store::{Keep, ReadLimit},
};

use super::{
    log::Plan,
    reader,
    segment::{self, Run, segment_name},
    shared::Shared,
    vfs::File,
};

/// How often a read looks again where what it was about to read has moved.
const TRIES: usize = 8;
const ONE: ReadLimit = ReadLimit {
    bytes: 0,
    entries: 1,
};

/// Entries of `log` from `from` on: see [`Store::read`](standpipe_core::store::Store::read).
pub(crate) fn read(
    shared: &Shared,
    log: LogId,
    mut from: Offset,
    limit: ReadLimit,
) -> Result<Vec<Entry>> {
    loop {
        let mut entries = read_stored(shared, log, from, limit)?;
        let end = entries.last().map(Entry::end_offset);
        // What nobody needs lies where it was until its surroundings can go too.
        shared.retain_needed(log, &mut entries);
        match end.filter(|_| entries.is_empty()) {
            Some(end) => from = end,
            None => return Ok(entries),
        }
    }
}

fn read_stored(shared: &Shared, log: LogId, from: Offset, limit: ReadLimit) -> Result<Vec<Entry>> {
    let mut last = shared.plan(log, from, limit)?;
    for _ in 0..TRIES {
        let error = match follow(shared, log, &last, limit) {
            Ok(entries) => return Ok(entries),
            Err(error) => error,
        };
        // The files may have moved on meanwhile: it is damage only where the plan still holds.
        let again = shared.plan(log, from, limit)?;
        if again.is_like(&last) {
            tracing::error!("{error}");
            return Err(error);
        }
        last = again;
    }
    let message = "what should be read moves faster than it is read; try again";
    Err(Error::new(ErrorKind::Transient, "read log", message))
}

fn follow(shared: &Shared, log: LogId, plan: &Plan, limit: ReadLimit) -> Result<Vec<Entry>> {
    match plan {
        Plan::Journal(places, cached) => {
            let mut entries = reader::read(&shared.files, log, places)?;
            if entries.len() == places.len() {
                entries.extend_from_slice(cached);
            }
            Ok(entries)
        }
        Plan::Segment(run, from) => segment::read(&*open(shared, run)?, (log, run), *from, limit),
    }
}

/// The first entry whose time is at or after `at`.
pub(crate) fn entry_for_time(shared: &Shared, log: LogId, at: Millis) -> Result<Option<Entry>> {
    let (runs, start) = {
        let state = shared.state.lock();
        let Some(found) = state.contents.logs.get(&log) else {
            return Ok(None);
        };
        (found.runs_at_time(at), found.bounds().start)
    };
    for run in &runs {
        let found = open(shared, run)
            .and_then(|file| segment::entry_for_time(&*file, (log, run), start, at))?;
        if found.is_some() {
            return Ok(found);
        }
    }
    let base = {
        let state = shared.state.lock();
        let found = state.contents.logs.get(&log);
        found.and_then(|log| Some(log.at_time(at)?.max(log.bounds().start)))
    };
    match base {
        Some(base) => Ok(read(shared, log, base, ONE)?.into_iter().next()),
        None => Ok(None),
    }
}

/// How far `log` can be trimmed so that what `keep` says stays.
pub(crate) fn trim_point(shared: &Shared, log: LogId, keep: Keep) -> Result<Offset> {
    let (point, within) = {
        let state = shared.state.lock();
        match state.contents.logs.get(&log) {
            Some(log) => log.trim_point(keep),
            None => return Ok(Offset::ZERO),
        }
    };
    let Some((run, keep)) = within else {
        return Ok(point);
    };
    let file = open(shared, &run)?;
    let inside = segment::trim_point(&*file, &run, keep);
    let inside = inside.map_err(|error| unreadable(&run, error))?;
    Ok(point.max(inside))
}

fn open(shared: &Shared, run: &Run) -> Result<Arc<dyn File>> {
    let file = shared.segments.get(run.segment);
    file.map_err(|error| unreadable(run, error))
}

fn unreadable(run: &Run, error: io::Error) -> Error {
    let message = format!("cannot read {}", segment_name(run.segment));
    Error::new(ErrorKind::Transient, "read log", message).with_source(error)
}
