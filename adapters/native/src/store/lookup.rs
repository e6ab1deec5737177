//! Finding entries wherever they lie. All but [`read_now`] blocks on the disk.

use std::io;

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
    vfs::Wait,
};

/// How often a read looks again where what it was about to read has moved.
const TRIES: usize = 8;
const ONE: ReadLimit = ReadLimit {
    bytes: 0,
    entries: 1,
};

/// Entries of `log` from `from` on as `plan` says, where they are in memory: then nobody has to wait
/// for another thread. `None` where they are not, or something is amiss.
pub(crate) fn read_now(
    shared: &Shared,
    log: LogId,
    plan: &Plan,
    (from, limit): (Offset, ReadLimit),
) -> Option<Vec<Entry>> {
    let entries = follow(shared, log, plan, limit, Wait::Never).ok()?;
    let mut entries = shared.up_to_lost(log, from, entries).ok()?;
    let any = !entries.is_empty();
    shared.retain_needed(log, &mut entries);
    (any != entries.is_empty()).then_some(entries)
}

/// Entries of `log` from `from` on: see [`Store::read`](standpipe_core::store::Store::read). `plan`
/// is how [`Shared::plan`] said that it goes.
pub(crate) fn read(
    shared: &Shared,
    log: LogId,
    mut plan: Plan,
    (mut from, limit): (Offset, ReadLimit),
) -> Result<Vec<Entry>> {
    loop {
        let mut entries = read_stored(shared, log, plan, (from, limit))?;
        let end = entries.last().map(Entry::end_offset);
        // What nobody needs lies where it was until its surroundings can go too.
        shared.retain_needed(log, &mut entries);
        let Some(end) = end.filter(|_| entries.is_empty()) else {
            return Ok(entries);
        };
        from = end;
        plan = shared.plan(log, from, limit)?;
    }
}

fn read_stored(
    shared: &Shared,
    log: LogId,
    mut last: Plan,
    (from, limit): (Offset, ReadLimit),
) -> Result<Vec<Entry>> {
    for _ in 0..TRIES {
        let error = match follow(shared, log, &last, limit, Wait::ForDevice) {
            Ok(entries) => return shared.up_to_lost(log, from, entries),
            Err(error) => error,
        };
        // The files may have moved on meanwhile: it is damage only where the plan still holds.
        let again = shared.plan(log, from, limit)?;
        if again.is_like(&last) {
            if let Some(next) = shared.past_forgotten(log, from, &error) {
                let plan = shared.plan(log, next, limit)?;
                return read_stored(shared, log, plan, (next, limit));
            }
            tracing::error!("{error}");
            return Err(error);
        }
        last = again;
    }
    Err(moves_faster("read log"))
}

fn follow(
    shared: &Shared,
    log: LogId,
    plan: &Plan,
    limit: ReadLimit,
    wait: Wait,
) -> Result<Vec<Entry>> {
    match plan {
        Plan::Journal(places, cached) => {
            let mut entries = reader::read(&shared.files, log, places, wait)?;
            if entries.len() == places.len() {
                entries.extend_from_slice(cached);
            }
            Ok(entries)
        }
        Plan::Segment(run, from) => segment::read(&shared.segments, (log, run), *from, limit, wait),
    }
}

/// The first entry whose time is at or after `at`.
pub(crate) fn entry_for_time(shared: &Shared, log: LogId, at: Millis) -> Result<Option<Entry>> {
    for _ in 0..TRIES {
        // Both at once: what moves from the journal into a segment in between is in neither.
        let looked = {
            let state = shared.state.lock();
            let found = state.contents.logs.get(&log);
            found.map(|log| (log.runs_at_time(at), log.bounds().start, log.at_time(at)))
        };
        let Some((runs, start, in_journal)) = looked else {
            return Ok(None);
        };
        let found = match entry_in_runs(shared, (log, &runs), start, at) {
            Ok(None) => in_journal.map_or(Ok(None), |base| first_from(shared, log, base)),
            found => found,
        };
        // A run that went meanwhile was written again elsewhere, or trimmed.
        if shared.has_runs(log, &runs) {
            return found;
        }
    }
    Err(moves_faster("look up time"))
}

fn entry_in_runs(
    shared: &Shared,
    (log, runs): (LogId, &[Run]),
    start: Offset,
    at: Millis,
) -> Result<Option<Entry>> {
    for run in runs {
        let forgotten = {
            let state = shared.state.lock();
            let found = state.contents.logs.get(&log);
            found.map(|log| log.forgotten().within(&(run.base..run.end)))
        };
        let needless = (start, &forgotten.unwrap_or_default());
        let found = segment::entry_for_time(&shared.segments, (log, run), needless, at)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// The first entry from `base` on, wherever it lies by now.
fn first_from(shared: &Shared, log: LogId, base: Offset) -> Result<Option<Entry>> {
    let start = {
        let state = shared.state.lock();
        let found = state.contents.logs.get(&log);
        found.map(|log| log.bounds().start)
    };
    let Some(base) = start.map(|start| base.max(start)) else {
        return Ok(None);
    };
    let plan = shared.plan(log, base, ONE)?;
    Ok(read(shared, log, plan, (base, ONE))?.into_iter().next())
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
    let inside = segment::trim_point(&shared.segments, &run, keep);
    let inside = inside.map_err(|error| unreadable(&run, error))?;
    Ok(point.max(inside))
}

fn moves_faster(operation: &'static str) -> Error {
    let message = "what should be read moves faster than it is read; try again";
    Error::new(ErrorKind::Transient, operation, message)
}

fn unreadable(run: &Run, error: io::Error) -> Error {
    let message = format!("cannot read {}", segment_name(run.segment));
    Error::new(ErrorKind::Transient, "read log", message).with_source(error)
}
