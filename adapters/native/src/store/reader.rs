//! Entries from the journal's files.

use std::io;

use bytes::Bytes;
use standpipe_core::{
    entry::{Entry, EntryHead},
    error::{Error, ErrorKind, Result},
    id::{LogId, Offset},
};

use super::{
    files::Files,
    piece::{PIECE, read_piece},
    position::Position,
    record::Extent,
    recovery::{name, without_reference},
    vfs::Wait,
};

/// Entries this close to each other are read in one go.
const GAP: u32 = 16 * 1024;
/// A body further than this before its envelope is read by itself: what lies between is of other logs.
const APART: u32 = 4 * 1024;
/// The most that is read in one go, unless one entry is larger.
const RUN: u32 = PIECE as u32;
/// Reads that one call makes at most where it must not wait: others wait for it.
const BRIEF: usize = 64;

/// Reads entries of `log` at `places`, in order.
///
/// # Errors
/// `Corrupt` where an entry fails its checksums, with file, place and offset; `Transient` where
/// the file cannot be read, or not all of it without waiting where it must not wait.
pub(crate) fn read(
    files: &Files,
    log: LogId,
    places: &[(Offset, Extent)],
    wait: Wait,
) -> Result<Vec<Entry>> {
    let (mut entries, mut reads) = (Vec::with_capacity(places.len()), 0);
    for (span, these) in spans(places) {
        let cannot = |error| unreadable(log, these[0], error);
        reads += span.reads();
        if reads > BRIEF {
            wait.allow().map_err(cannot)?;
        }
        let octets = span.read(files, wait).map_err(cannot)?;
        for (base, extent) in these {
            match span.entry(&octets, extent) {
                Ok(entry) => entries.push(entry),
                Err(error) if entries.is_empty() => {
                    return Err(damaged(log, (*base, *extent), &error));
                }
                Err(_) => return Ok(entries), // told when a read begins here
            }
        }
    }
    Ok(entries)
}

/// Places that lie close to each other, together.
pub(crate) fn spans(
    mut rest: &[(Offset, Extent)],
) -> impl Iterator<Item = (Span, &[(Offset, Extent)])> {
    std::iter::from_fn(move || {
        let (span, length) = (!rest.is_empty()).then(|| Span::from_front(rest))?;
        let (these, later) = rest.split_at(length);
        rest = later;
        Some((span, these))
    })
}

/// Octets of one file that hold several entries, or one whose body lies apart.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    file: u32,
    from: u32,
    to: u32,
    /// Place and length of a body that is shared with many logs, whose envelopes lie between.
    apart: Option<(u32, u32)>,
}

/// What was read of a span.
pub(crate) struct Octets {
    near: Bytes,
    apart: Option<Bytes>,
}

impl Span {
    fn of(extent: &Extent) -> Self {
        let head_end = extent.head + extent.head_length;
        let body_end = extent.body + extent.body_length;
        if body_end.saturating_add(APART) < extent.head {
            return Self {
                file: extent.file,
                from: extent.head,
                to: head_end,
                apart: Some((extent.body, extent.body_length)),
            };
        }
        Self {
            file: extent.file,
            from: extent.head.min(extent.body),
            to: head_end.max(body_end),
            apart: None,
        }
    }

    /// The longest run that the first places make up, and how many they are.
    fn from_front(places: &[(Offset, Extent)]) -> (Self, usize) {
        let mut run = Self::of(&places[0].1);
        let mut taken = 1;
        for (_, extent) in &places[1..] {
            let next = Self::of(extent);
            let near = next.from <= run.to.saturating_add(GAP) && next.from >= run.from;
            let apart = run.apart.is_some() || next.apart.is_some();
            let large = next.to.max(run.to) - run.from > RUN;
            if next.file != run.file || apart || !near || large {
                break;
            }
            run.to = run.to.max(next.to);
            taken += 1;
        }
        (run, taken)
    }

    /// How many reads it takes.
    fn reads(self) -> usize {
        1 + usize::from(self.apart.is_some())
    }

    /// Its octets; fewer where the file ends before.
    pub(crate) fn read(self, files: &Files, wait: Wait) -> io::Result<Octets> {
        let file = files.get(self.file)?;
        let read = |at: u32, length: u32| read_piece(&*file, length as usize, at.into(), wait);
        let near = read(self.from, self.to - self.from)?;
        let apart = self.apart.map(|(at, length)| read(at, length));
        let apart = apart.transpose()?;
        Ok(Octets { near, apart })
    }

    /// The entry at `extent`.
    ///
    /// # Errors
    /// `Corrupt` where it fails its checksums.
    pub(crate) fn entry(self, octets: &Octets, extent: &Extent) -> Result<Entry> {
        let (head, body) = self.parts(octets, extent)?;
        let (head, _) = EntryHead::decode(&head, 0)?;
        let mut entry = head.join(body)?;
        entry.draft.flags = without_reference(entry.draft.flags);
        Ok(entry)
    }

    /// Envelope and body of the entry at `extent`.
    ///
    /// # Errors
    /// `Corrupt` where the file ended before.
    pub(crate) fn parts(self, octets: &Octets, extent: &Extent) -> Result<(Bytes, Bytes)> {
        let head = slice(&octets.near, extent.head - self.from, extent.head_length)?;
        let body = match &octets.apart {
            Some(body) => slice(body, 0, extent.body_length)?,
            None => slice(&octets.near, extent.body - self.from, extent.body_length)?,
        };
        Ok((head, body))
    }
}

fn slice(octets: &Bytes, from: u32, length: u32) -> Result<Bytes> {
    let from = from as usize;
    let to = from + length as usize;
    if to > octets.len() {
        let message = "the file ends before the entry does";
        return Err(Error::new(ErrorKind::Corrupt, "read log", message));
    }
    Ok(octets.slice(from..to))
}

fn damaged(log: LogId, (base, extent): (Offset, Extent), error: &Error) -> Error {
    let place = Position::new(extent.file, extent.head);
    let message = format!(
        "{}: offset {base} in {place}: {}",
        name(log),
        error.message()
    );
    Error::new(ErrorKind::Corrupt, "read log", message)
}

fn unreadable(log: LogId, (base, extent): (Offset, Extent), error: io::Error) -> Error {
    let place = Position::new(extent.file, extent.head);
    let message = format!("{}: offset {base} in {place} cannot be read", name(log));
    Error::new(ErrorKind::Transient, "read log", message).with_source(error)
}
