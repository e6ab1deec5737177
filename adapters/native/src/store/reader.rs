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
    let mut entries = Vec::with_capacity(places.len());
    for (count, (span, these)) in spans(places).enumerate() {
        let cannot = |error| unreadable(log, these[0], error);
        if count >= BRIEF {
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

/// Octets of one file that hold several entries.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    file: u32,
    from: u32,
    to: u32,
}

impl Span {
    fn of(extent: &Extent) -> Self {
        Self {
            file: extent.file,
            from: extent.head.min(extent.body),
            to: (extent.head + extent.head_length).max(extent.body + extent.body_length),
        }
    }

    /// The longest run that the first places make up, and how many they are.
    fn from_front(places: &[(Offset, Extent)]) -> (Self, usize) {
        let mut run = Self::of(&places[0].1);
        let mut taken = 1;
        for (_, extent) in &places[1..] {
            let next = Self::of(extent);
            let near = next.from <= run.to.saturating_add(GAP) && next.from >= run.from;
            if next.file != run.file || !near || next.to.max(run.to) - run.from > RUN {
                break;
            }
            run.to = run.to.max(next.to);
            taken += 1;
        }
        (run, taken)
    }

    /// Its octets; fewer where the file ends before.
    pub(crate) fn read(self, files: &Files, wait: Wait) -> io::Result<Bytes> {
        let (file, octets) = (files.get(self.file)?, (self.to - self.from) as usize);
        read_piece(&*file, octets, u64::from(self.from), wait)
    }

    /// The entry at `extent`.
    ///
    /// # Errors
    /// `Corrupt` where it fails its checksums.
    pub(crate) fn entry(self, octets: &Bytes, extent: &Extent) -> Result<Entry> {
        let head = self.slice(octets, extent.head, extent.head_length)?;
        let (head, _) = EntryHead::decode(&head, 0)?;
        let mut entry = head.join(self.slice(octets, extent.body, extent.body_length)?)?;
        entry.draft.flags = without_reference(entry.draft.flags);
        Ok(entry)
    }

    /// Octets of it.
    ///
    /// # Errors
    /// `Corrupt` where the file ended before.
    pub(crate) fn slice(self, octets: &Bytes, at: u32, length: u32) -> Result<Bytes> {
        let from = (at - self.from) as usize;
        let to = from + length as usize;
        if to > octets.len() {
            let message = "the file ends before the entry does";
            return Err(Error::new(ErrorKind::Corrupt, "read log", message));
        }
        Ok(octets.slice(from..to))
    }
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
