//! A journal file as it is found when the store is opened.

use std::{collections::BTreeSet, io, sync::Arc};

use bytes::Bytes;
use standpipe_core::error::{Error, Result};

use super::{
    accepted::{Accepted, Skip},
    header::{FILE_HEADER, FileHeader, FileId, Link, RECORD_HEADER, RecordHeader},
    position::{BLOCK, Position, journal_name, journal_number},
    recovery::{ADVICE, corrupt, failed},
    scan::look_behind,
    vfs::{Disk, File, read_full_at, write_all_at},
    window::{Window, first_nonzero},
};

/// A file whose records can be told from others.
pub(crate) struct Journal {
    pub(crate) id: FileId,
    /// How it goes on behind the file before; synced with the first records, so that nothing in it
    /// was synced where it is not there.
    pub(crate) link: Option<Link>,
    pub(crate) file: Arc<dyn File>,
    pub(crate) length: u64,
}

impl Journal {
    pub(crate) fn place(&self, at: u64) -> Position {
        Position::new(self.id.number, u32::try_from(at).unwrap_or(u32::MAX))
    }
}

/// Where a file's records end.
#[derive(Clone, Copy)]
pub(super) enum End {
    /// The next file says it.
    At(u64),
    /// The next one is given up: the file is read as far as it goes.
    Unknown,
    /// Nothing behind it was synced: at the first place where no record stands.
    Open,
}

impl End {
    /// Of the file at `index`; `last` is the number of the last one, given up or not.
    pub(super) fn of(found: &[Journal], index: usize, last: u32) -> Self {
        let number = found[index].id.number;
        match found.get(index + 1) {
            Some(next) if next.id.number != number + 1 => Self::Unknown,
            Some(next) => match next.link {
                Some(link) => Self::At(link.previous_end.into()),
                None => Self::Open,
            },
            None if number < last => Self::Unknown,
            None => Self::Open,
        }
    }
}

/// What begins a journal file.
pub(crate) enum Opened {
    Journal(Journal),
    /// It was being made: there is nothing in it.
    Empty,
    /// Octets that are no header, before others.
    NoHeader,
}

/// Opens a file, and mends its header where one bit of it flipped.
pub(crate) fn open_file(disk: &dyn Disk, number: u32) -> io::Result<Opened> {
    let file = disk.open(&journal_name(number))?;
    let length = file.len()?;
    let mut start = [0; FILE_HEADER];
    let read = read_full_at(&*file, &mut start, 0)?;
    let start = &start[..read];
    let id = FileId::decode(start).or_else(|| FileId::mended(start));
    let id = id.filter(|id| id.number == number);
    let header =
        id.and_then(|id| FileHeader::decode(id, start).or_else(|| FileHeader::mended(id, start)));
    if let Some(header) = header {
        write_back(&*file, &header.encode(), start, number)?;
    }
    Ok(match id {
        Some(id) => Opened::Journal(Journal {
            id,
            link: header.map(|header| header.link),
            file,
            length,
        }),
        None if is_empty(&*file, length)? => Opened::Empty,
        None => Opened::NoHeader,
    })
}

fn is_empty(file: &dyn File, length: u64) -> io::Result<bool> {
    let mut window = Window::new(file, length);
    Ok(first_nonzero(&mut window, FILE_HEADER as u64)?.is_none())
}

/// Opens all files in order but those that are given up; returns the last one's number too. What
/// begins with a file that has no link was not synced.
pub(super) fn open_files(
    disk: &dyn Disk,
    names: &[String],
    first: u32,
    accepted: &mut Accepted,
) -> Result<(Vec<Journal>, u32)> {
    let numbers = names.iter().filter_map(|name| journal_number(name));
    let numbers: BTreeSet<_> = numbers.filter(|number| *number >= first).collect();
    let newest = numbers.last().copied();
    let newest_or_missing = newest.unwrap_or(if first > 1 { first } else { 0 });
    let (mut found, mut last) = (Vec::new(), newest_or_missing);
    for number in first..=newest_or_missing {
        let name = journal_name(number);
        let opened = numbers.contains(&number).then(|| open_file(disk, number));
        let opened = opened.transpose();
        match opened.map_err(|error| failed(&format!("read {name}"), error))? {
            Some(Opened::Journal(journal)) => found.push(journal),
            Some(Opened::Empty) if Some(number) == newest => {
                let removed = disk.remove(&name).and_then(|()| disk.sync_names());
                removed.map_err(|e| failed(&format!("remove the unfinished {name}"), e))?;
                tracing::info!(name, "removed a journal file that was only begun");
                last -= 1;
            }
            Some(_) => give_up(accepted, number, || no_header(number))?,
            None => give_up(accepted, number, || {
                corrupt(format!("{name} is missing{ADVICE}"))
            })?,
        }
    }
    give_up_unlinked(&mut found, last, accepted)?;
    Ok((found, last))
}

/// Files whose link is not there although they were synced, or something behind them is given up.
fn give_up_unlinked(found: &mut Vec<Journal>, last: u32, accepted: &mut Accepted) -> Result<()> {
    let begin = FILE_HEADER as u64;
    while let Some(index) = found.iter().position(|journal| journal.link.is_none()) {
        let place = found[index].place(begin);
        let number = place.file;
        let synced = known_synced(&found[index..], begin)
            .map_err(|e| failed(&format!("read {}", journal_name(number)), e))?;
        let whole = found.len() - index == (last - number) as usize + 1;
        if whole && synced < place && !accepted.knows_file(number) {
            break;
        }
        found.remove(index);
        give_up(accepted, number, || no_header(number))?;
    }
    Ok(())
}

fn give_up(accepted: &mut Accepted, number: u32, error: impl FnOnce() -> Error) -> Result<()> {
    let skip = accepted.pass(Skip::file(number));
    skip.map(drop).ok_or_else(error)
}

pub(super) fn no_header(number: u32) -> Error {
    corrupt(format!(
        "{} does not begin as a journal file does; its records cannot be told from others{ADVICE}",
        journal_name(number)
    ))
}

/// The highest position that anything in the first file from `at` on, or in those behind it, knows
/// to be synced.
pub(crate) fn known_synced(found: &[Journal], at: u64) -> io::Result<Position> {
    let mut synced = Position::default();
    for (index, journal) in found.iter().enumerate() {
        let from = if index == 0 { at } else { FILE_HEADER as u64 };
        let mut window = Window::new(&*journal.file, journal.length);
        let behind = look_behind(&mut window, from, journal.id.salt)?;
        let link = journal.link.filter(|_| index > 0).map(|link| link.synced);
        synced = synced.max(behind.synced).max(link.unwrap_or_default());
    }
    Ok(synced)
}

/// Writes a record as it was before a bit of it flipped.
pub(super) fn mend_record(
    journal: &Journal,
    at: u64,
    header: &RecordHeader,
    record: &Bytes,
) -> io::Result<()> {
    let place = journal.place(at);
    tracing::warn!(%place, "mended a flipped bit");
    let header = header.encode();
    let mut octets = [
        io::IoSlice::new(&header),
        io::IoSlice::new(&record[RECORD_HEADER..]),
    ];
    write_all_at(&*journal.file, &mut octets, at)?;
    journal.file.sync()
}

/// Writes a header as it was meant, where a bit of what was `read` had flipped.
fn write_back(file: &dyn File, meant: &[u8], read: &[u8], number: u32) -> io::Result<()> {
    if meant == read {
        return Ok(());
    }
    tracing::warn!(file = journal_name(number), "mended a flipped bit");
    write_all_at(file, &mut [io::IoSlice::new(meant)], 0)?;
    file.sync()
}

/// Ends the journal at `end`, and syncs what is not known to be synced: what is served from now on
/// stays. Cut short at any point and done again, it comes to the same.
pub(super) fn end_at(
    disk: &dyn Disk,
    found: &[Journal],
    end: Position,
    synced: Position,
) -> Result<()> {
    // The last one first, and each for good: a file that is left has those before it beside it.
    for journal in found.iter().rev().filter(|j| j.id.number > end.file) {
        remove(disk, journal)?;
    }
    let files = synced.file..=end.file;
    let left = |journal: &Journal| journal.link.is_some() && files.contains(&journal.id.number);
    for (index, journal) in found.iter().enumerate().filter(|(_, j)| left(j)) {
        let number = journal.id.number;
        let from = if number == synced.file { synced.at } else { 0 };
        if number == end.file {
            cut(journal, end.at.into())?;
            renew(journal, from.into(), end.at.into())?;
        } else {
            let to = match End::of(found, index, end.file) {
                End::At(at) => at,
                End::Unknown | End::Open => journal.length,
            };
            renew(journal, from.into(), to)?;
        }
    }
    Ok(())
}

fn remove(disk: &dyn Disk, journal: &Journal) -> Result<()> {
    let name = journal_name(journal.id.number);
    let cannot = |e| failed(&format!("remove {name}"), e);
    if is_empty(&*journal.file, journal.length).map_err(cannot)? {
        tracing::info!(name, "removed a journal file that was not used yet");
    } else {
        tracing::warn!(
            name,
            "removed a file of the torn tail, which nothing in the journal knows to be synced"
        );
    }
    disk.remove(&name).map_err(cannot)?;
    disk.sync_names().map_err(cannot)
}

/// Ends a file behind its last whole record.
fn cut(journal: &Journal, at: u64) -> Result<()> {
    let cannot = |e| failed(&format!("cut {}", journal.place(at)), e);
    let mut window = Window::new(&*journal.file, journal.length);
    let behind = look_behind(&mut window, at, journal.id.salt).map_err(cannot)?;
    if behind.end > at {
        let (octets, place) = (behind.end - at, journal.place(at));
        tracing::warn!(
            %place,
            octets,
            "cut the torn tail, which nothing in the journal knows to be synced"
        );
    }
    if journal.length > at {
        journal.file.set_len(at).map_err(cannot)?;
    }
    Ok(())
}

/// Writes a stretch once more, and syncs it: where an earlier sync of it failed, the system may hold
/// pages that it takes for written and that are not on the disk.
fn renew(journal: &Journal, from: u64, to: u64) -> Result<()> {
    let cannot = |e| failed(&format!("sync {}", journal.place(from)), e);
    let mut window = Window::new(&*journal.file, journal.length);
    // A file that ends before what was synced of it has no more to write.
    let to = to.min(journal.length);
    let mut at = from - from % u64::from(BLOCK);
    while at < to {
        let octets = window.take(at, (to - at).min(1 << 20) as usize);
        let octets = octets.map_err(cannot)?;
        let written = write_all_at(&*journal.file, &mut [io::IoSlice::new(&octets)], at);
        written.map_err(cannot)?;
        at += octets.len().max(1) as u64;
    }
    journal.file.sync().map_err(cannot)
}
