//! Reading entries from a run, in order.

use std::{io, ops::Range};

use bytes::{Bytes, BytesMut};
use standpipe_core::{
    entry::{Entry, EntryHead, HEAD_FIXED},
    error::{Error, ErrorKind, Result},
    id::{LogId, Millis, Offset},
    store::{Keep, ReadLimit},
};

use super::{
    Run,
    point::{Point, points},
    segment_name,
};
use crate::store::{
    log::Room,
    recovery::{name, without_reference},
    repair::mend,
    vfs::{File, read_full_at},
};

/// Octets read at once. What a reader keeps of it keeps all of it in memory.
const PIECE: usize = 256 * 1024;
/// Where an envelope says how long its fields are.
const FIELDS_LENGTH: Range<usize> = 5..7;

/// What stands at a place in a run.
pub(crate) enum Found {
    /// An entry.
    Entry(Entry),
    /// An entry whose body is not as it was written.
    Body(Range<Offset>),
    /// Octets that are no entry, up to where the next one is known to begin.
    Lost(Range<Offset>),
}

/// Walks a run from the point at or before an offset.
pub(crate) struct Walk<'a> {
    file: &'a dyn File,
    run: &'a Run,
    points: Vec<Point>,
    /// Octets from the run's start: of `piece`, and of what comes next.
    piece_at: u64,
    at: u64,
    piece: Bytes,
    next: Offset,
    mended: bool,
}

/// A walk over `run` that begins with the entry that covers `from`, or a little before.
pub(crate) fn walk<'a>(file: &'a dyn File, run: &'a Run, from: Offset) -> io::Result<Walk<'a>> {
    let points = points(file, run)?;
    let point = points.partition_point(|point| point.base <= from);
    let start = points.get(point.saturating_sub(1)).copied();
    let (at, next) = start.map_or((0, run.base), |point| (point.at, point.base));
    Ok(Walk {
        file,
        run,
        points,
        piece_at: at,
        at,
        piece: Bytes::new(),
        next,
        mended: false,
    })
}

impl Walk<'_> {
    /// Where in the file what comes next begins.
    pub(crate) fn place(&self) -> u64 {
        self.run.at + self.at
    }

    /// Whether a flipped bit was mended in the envelope that came last.
    pub(crate) fn was_mended(&self) -> bool {
        self.mended
    }

    /// What comes next; `None` at the run's end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Found>> {
        if self.at >= self.run.length {
            return Ok(None);
        }
        self.mended = false;
        let Some((head, length)) = self.head()? else {
            return Ok(Some(self.skip_damage()));
        };
        let whole = length + head.body_length();
        let octets = self.take(whole)?;
        let range = head.without_body().base_offset..head.end_offset();
        self.next = range.end;
        self.at += whole as u64;
        if octets.len() < whole {
            return Ok(Some(Found::Body(range)));
        }
        Ok(Some(match head.join(octets.slice(length..)) {
            Ok(mut entry) => {
                entry.draft.flags = without_reference(entry.draft.flags);
                Found::Entry(entry)
            }
            Err(_) => Found::Body(range),
        }))
    }

    fn head(&mut self) -> io::Result<Option<(EntryHead, usize)>> {
        let fixed = self.take(HEAD_FIXED + 4)?;
        let Some(fields) = fixed.get(FIELDS_LENGTH) else {
            return Ok(None);
        };
        let fields = u16::from_be_bytes([fields[0], fields[1]]);
        if let Some(found) = self.head_of(fields)? {
            return Ok(Some(found));
        }
        for bit in 0..u16::BITS {
            if let Some(found) = self.head_of(fields ^ (1 << bit))? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The envelope, if its fields are that long; one flipped bit is mended.
    fn head_of(&mut self, fields: u16) -> io::Result<Option<(EntryHead, usize)>> {
        let length = HEAD_FIXED + usize::from(fields) + 4;
        let octets = self.take(length)?;
        if octets.len() < length {
            return Ok(None);
        }
        if let Ok(found) = EntryHead::decode(&octets) {
            return Ok(self.is_next(&found.0).then_some(found));
        }
        let mut copy = BytesMut::from(&octets[..length - 4]);
        copy[FIELDS_LENGTH].copy_from_slice(&fields.to_be_bytes());
        let crc = u32::from_be_bytes(octets[length - 4..].try_into().expect("four octets"));
        if !mend(&mut copy, crc) {
            return Ok(None);
        }
        let crc = crc32c::crc32c(&copy);
        copy.extend_from_slice(&crc.to_be_bytes());
        let found = EntryHead::decode(&copy.freeze()).ok();
        let found = found.filter(|(head, _)| self.is_next(head));
        self.mended = found.is_some();
        Ok(found)
    }

    fn is_next(&self, head: &EntryHead) -> bool {
        head.without_body().base_offset >= self.next && head.end_offset() <= self.run.end
    }

    /// Goes on at the next point.
    fn skip_damage(&mut self) -> Found {
        let behind = self.points.iter().find(|point| point.at > self.at);
        let (at, next) = behind.map_or((self.run.length, self.run.end), |p| (p.at, p.base));
        let lost = self.next..next;
        (self.at, self.next) = (at, next);
        Found::Lost(lost)
    }

    /// Up to `length` octets from here; fewer at the run's end.
    fn take(&mut self, length: usize) -> io::Result<Bytes> {
        let left = usize::try_from(self.run.length - self.at).unwrap_or(usize::MAX);
        let length = length.min(left);
        let held_to = self.piece_at + self.piece.len() as u64;
        if self.at < self.piece_at || self.at + length as u64 > held_to {
            self.piece = Bytes::new();
            let mut piece = BytesMut::zeroed(length.max(PIECE).min(left));
            let read = read_full_at(self.file, &mut piece, self.run.at + self.at)?;
            piece.truncate(read);
            (self.piece, self.piece_at) = (piece.freeze(), self.at);
        }
        let from = (self.at - self.piece_at) as usize;
        let to = (from + length).min(self.piece.len());
        Ok(self.piece.slice(from..to))
    }
}

/// Entries of `log` in `run` from the one that covers `from` on. Blocks.
///
/// # Errors
/// `Corrupt` where the first of them is damaged, with file and offsets; `Transient` where the file
/// cannot be read.
pub(crate) fn read(
    file: &dyn File,
    (log, run): (LogId, &Run),
    from: Offset,
    limit: ReadLimit,
) -> Result<Vec<Entry>> {
    let cannot = |error: io::Error| unreadable(log, run, from, error);
    let mut walk = walk(file, run, from).map_err(cannot)?;
    let (mut room, mut entries) = (Room::new(limit), Vec::new());
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

/// The first entry of `run` at or behind `from` whose time is at or after `at`. Blocks.
///
/// # Errors
/// As [`read`]; what is damaged is passed over.
pub(crate) fn entry_for_time(
    file: &dyn File,
    (log, run): (LogId, &Run),
    from: Offset,
    at: Millis,
) -> Result<Option<Entry>> {
    let cannot = |error: io::Error| unreadable(log, run, from, error);
    let points = points(file, run).map_err(cannot)?;
    let first = points.iter().enumerate().find(|(index, point)| {
        let end = points.get(index + 1).map_or(run.end, |next| next.base);
        point.latest >= at.0 && end > from
    });
    let Some((_, point)) = first else {
        return Ok(None);
    };
    let mut walk = walk(file, run, point.base.max(from)).map_err(cannot)?;
    while let Some(found) = walk.next().map_err(cannot)? {
        if let Found::Entry(entry) = found
            && entry.end_offset() > from
            && entry.draft.visible > 0
            && entry.time() >= at
        {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}

/// The last point of `run` below which everything may go; its base where there is none.
pub(crate) fn trim_point(file: &dyn File, run: &Run, keep: Keep) -> io::Result<Offset> {
    let points = points(file, run)?;
    let goes = |point: &&Point| match keep {
        Keep::Octets(octets) => run.octets - point.octets.min(run.octets) >= octets,
        Keep::Since(at) => point.appended < at,
    };
    let last = points.iter().take_while(goes).last();
    Ok(last.map_or(run.base, |point| point.base))
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
