//! What lies in a run, entry by entry.

use std::{io, ops::Range, sync::Arc};

use bytes::{BufMut, Bytes, BytesMut};
use standpipe_core::{
    checksum::crc32c,
    entry::{Entry, EntryHead, HEAD_FIXED},
    id::Offset,
};

use super::{
    Run,
    point::{Point, STRETCH, points},
};
use crate::store::{
    piece::{PIECE, read_piece},
    recovery::without_reference,
    repair::mend,
    vfs::{File, Wait},
};

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
    points: Arc<[Point]>,
    /// Octets from the run's start: of `piece`, and of what comes next.
    piece_at: u64,
    at: u64,
    piece: Bytes,
    /// Octets to read at once, about; more where one entry is larger.
    ahead: u64,
    wait: Wait,
    next: Offset,
    /// Octets in the piece of the entry that came last: where its envelope and its body begin.
    last: (usize, usize),
    mended: bool,
}

/// A walk over `run` that begins with the entry that covers `from`, or a little before.
pub(crate) fn walk<'a>(file: &'a dyn File, run: &'a Run, from: Offset) -> io::Result<Walk<'a>> {
    let points = points(file, run)?.into();
    Ok(Walk::new(file, run, points, from))
}

impl<'a> Walk<'a> {
    /// As [`walk`], with the run's points.
    pub(super) fn new(
        file: &'a dyn File,
        run: &'a Run,
        points: Arc<[Point]>,
        from: Offset,
    ) -> Self {
        let point = points.partition_point(|point| point.base <= from);
        let start = points.get(point.saturating_sub(1)).copied();
        let (at, next) = start.map_or((0, run.base), |point| (point.at, point.base));
        Self {
            file,
            run,
            points,
            piece_at: at,
            at,
            piece: Bytes::new(),
            ahead: PIECE as u64,
            wait: Wait::ForDevice,
            next,
            last: (0, 0),
            mended: false,
        }
    }

    /// Reads no more at once than what about `octets` of bodies take, and waits or not.
    pub(super) fn reading(mut self, octets: usize, wait: Wait) -> Self {
        self.ahead = (octets as u64).saturating_add(STRETCH).min(PIECE as u64);
        self.wait = wait;
        self
    }

    /// Where in the file what comes next begins.
    pub(crate) fn place(&self) -> u64 {
        self.run.at + self.at
    }

    /// The envelope of the entry that came last, as it lies there.
    pub(super) fn envelope(&self) -> &[u8] {
        &self.piece[self.last.0..self.last.1]
    }

    /// Whether a flipped bit was mended in the envelope that came last.
    pub(crate) fn was_mended(&self) -> bool {
        self.mended
    }

    /// What comes next; `None` at the run's end.
    // Part of the loops that call it: an entry is 200 octets, and is not to be moved more than once.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> io::Result<Option<Found>> {
        match self.at_hand() {
            Some(entry) => Ok(Some(Found::Entry(entry))),
            None => self.next_of_file(),
        }
    }

    /// As [`Walk::next`], reading on where need be, and past damage.
    #[inline(never)]
    fn next_of_file(&mut self) -> io::Result<Option<Found>> {
        if self.at >= self.run.length {
            return Ok(None);
        }
        self.mended = false;
        let Some((head, length)) = self.head()? else {
            return Ok(Some(self.skip_damage()));
        };
        let whole = length + head.body_length();
        let from = self.hold(whole)?;
        let range = head.without_body().base_offset..head.end_offset();
        self.next = range.end;
        self.at += whole as u64;
        if self.piece.len() < from + whole {
            return Ok(Some(Found::Body(range)));
        }
        self.last = (from, from + length);
        let body = self.piece.slice(from + length..from + whole);
        Ok(Some(match head.join(body) {
            Ok(mut entry) => {
                entry.draft.flags = without_reference(entry.draft.flags);
                Found::Entry(entry)
            }
            Err(_) => Found::Body(range),
        }))
    }

    /// The entry that comes next, where it was read already and is as it was written, as nearly all are.
    #[inline(always)]
    fn at_hand(&mut self) -> Option<Entry> {
        let from = usize::try_from(self.at.checked_sub(self.piece_at)?).ok()?;
        let (mut entry, head) = Entry::decode(&self.piece, from)?;
        if !self.is_next(&entry) {
            return None;
        }
        self.mended = false;
        self.last = (from, from + head);
        self.next = entry.end_offset();
        self.at += (head + entry.body().len()) as u64;
        entry.draft.flags = without_reference(entry.draft.flags);
        Some(entry)
    }

    fn head(&mut self) -> io::Result<Option<(EntryHead, usize)>> {
        let from = self.hold(HEAD_FIXED + 4)?;
        let Some(fields) = self.piece[from..].get(FIELDS_LENGTH) else {
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
        let from = self.hold(length)?;
        if let Ok(found) = EntryHead::decode(&self.piece, from) {
            let is_it = found.1 == length && self.is_next(found.0.without_body());
            return Ok(is_it.then_some(found));
        }
        let Some(octets) = self.piece.get(from..from + length) else {
            return Ok(None);
        };
        let (envelope, mut crc) = octets.split_at(length - 4);
        let mut copy = BytesMut::from(envelope);
        copy[FIELDS_LENGTH].copy_from_slice(&fields.to_be_bytes());
        if !mend(&mut copy, bytes::Buf::get_u32(&mut crc)) {
            return Ok(None);
        }
        let crc = crc32c(&copy);
        copy.put_u32(crc);
        let found = EntryHead::decode(&copy.freeze(), 0).ok();
        let found = found.filter(|(head, _)| self.is_next(head.without_body()));
        self.mended = found.is_some();
        Ok(found)
    }

    fn is_next(&self, entry: &Entry) -> bool {
        entry.base_offset >= self.next && entry.end_offset() <= self.run.end
    }

    /// Goes on at the next point.
    fn skip_damage(&mut self) -> Found {
        let behind = self.points.iter().find(|point| point.at > self.at);
        let (at, next) = behind.map_or((self.run.length, self.run.end), |p| (p.at, p.base));
        let lost = self.next..next;
        (self.at, self.next) = (at, next);
        Found::Lost(lost)
    }

    /// Sees to it that `length` octets from here are in the piece, fewer at the run's end; returns
    /// where in it they begin.
    fn hold(&mut self, length: usize) -> io::Result<usize> {
        let left = self.run.length - self.at;
        let to = self.at + left.min(length as u64);
        if self.at < self.piece_at || to > self.piece_at + self.piece.len() as u64 {
            // The next point from there on is where an entry begins: nothing is read twice.
            let enough = to.max(self.at + left.min(self.ahead));
            let point = self.points.partition_point(|point| point.at <= enough);
            let point = self.points[..point].last().filter(|point| point.at >= to);
            let enough = match point {
                Some(point) if enough < self.run.length => point.at,
                _ => enough,
            };
            // Given up first: there is one at a time.
            self.piece = Bytes::new();
            let octets = (enough - self.at) as usize;
            self.piece = read_piece(self.file, octets, self.run.at + self.at, self.wait)?;
            self.piece_at = self.at;
        }
        let from = (self.at - self.piece_at) as usize;
        Ok(from.min(self.piece.len()))
    }
}
