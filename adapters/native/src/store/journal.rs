//! A journal file as it is found when the store is opened.

use std::{collections::BTreeSet, io, sync::Arc};

use bytes::Bytes;
use standpipe_core::error::{ErrorKind, Result};

use super::{
    accepted::{Accepted, Skip},
    header::{FILE_HEADER, FileHeader, RECORD_HEADER, RecordHeader},
    position::{BLOCK, Position, journal_name, journal_number},
    recovery::{ADVICE, corrupt, failed},
    scan::look_behind,
    vfs::{Disk, File, read_full_at, write_all_at},
    window::{Window, first_nonzero},
};

pub(super) struct Journal {
    pub(super) number: u32,
    pub(super) file: Arc<dyn File>,
    pub(super) length: u64,
    pub(super) header: FileHeader,
}

impl Journal {
    pub(super) fn place(&self, at: u64) -> Position {
        Position::new(self.number, u32::try_from(at).unwrap_or(u32::MAX))
    }
}

/// Opens all files in order but those that are given up; returns the last one's number too. The
/// last one's header may be missing, which makes its number there 0.
pub(super) fn open_files(
    disk: &dyn Disk,
    names: &[String],
    first: u32,
    accepted: &mut Accepted,
) -> Result<(Vec<Journal>, u32)> {
    let numbers = names.iter().filter_map(|name| journal_number(name));
    let numbers: BTreeSet<_> = numbers.filter(|number| *number >= first).collect();
    let newest = numbers.last().copied();
    let last = newest.unwrap_or(if first > 1 { first } else { 0 });
    let mut found = Vec::new();
    for number in first..=last {
        let journal = match numbers.contains(&number) {
            true => open_file(disk, number, Some(number) == newest),
            false => Err(corrupt(format!(
                "{} is missing{ADVICE}",
                journal_name(number)
            ))),
        };
        match journal {
            Ok(journal) => found.push(journal),
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                accepted.pass(Skip::file(number)).ok_or(error)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok((found, last))
}

fn open_file(disk: &dyn Disk, number: u32, is_last: bool) -> Result<Journal> {
    let cannot = |error| failed(&format!("read {}", journal_name(number)), error);
    let file = disk.open(&journal_name(number)).map_err(cannot)?;
    let length = file.len().map_err(cannot)?;
    let mut start = [0; FILE_HEADER];
    let read = read_full_at(&*file, &mut start, 0).map_err(cannot)?;
    let header = FileHeader::decode(&start[..read]).or_else(|| FileHeader::mended(&start[..read]));
    let header = match header.filter(|header| header.number == number) {
        Some(header) => {
            write_back(&*file, &header.encode(), &start[..read], number, 0).map_err(cannot)?;
            header
        }
        None if is_last && is_unfinished(&*file, length).map_err(cannot)? => FileHeader {
            number: 0,
            salt: 0,
            incarnation: 0,
            previous_end: 0,
            previous_seq: 0,
        },
        None => {
            return Err(corrupt(format!(
                "{} does not begin as a journal file does; its records cannot be told from others{ADVICE}",
                journal_name(number)
            )));
        }
    };
    Ok(Journal {
        number,
        file,
        length,
        header,
    })
}

/// A header is synced before the first record is written: without either, the file was only begun.
fn is_unfinished(file: &dyn File, length: u64) -> io::Result<bool> {
    let mut window = Window::new(file, length);
    Ok(first_nonzero(&mut window, FILE_HEADER as u64)?.is_none())
}

/// Removes the last file where it was only begun; returns how many were.
pub(super) fn drop_unfinished(disk: &dyn Disk, found: &mut Vec<Journal>) -> Result<u32> {
    if found.last().is_some_and(|last| last.header.number == 0) {
        let name = journal_name(found.last().map_or(1, |last| last.number));
        disk.remove(&name)
            .map_err(|e| failed(&format!("remove the unfinished {name}"), e))?;
        found.pop();
        tracing::info!(file = name, "removed a journal file that was only begun");
        return Ok(1);
    }
    Ok(0)
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

/// Writes what was `read` at `at` as it was meant, where a bit of it had flipped.
fn write_back(file: &dyn File, meant: &[u8], read: &[u8], number: u32, at: u64) -> io::Result<()> {
    if meant == read {
        return Ok(());
    }
    tracing::warn!(file = journal_name(number), at, "mended a flipped bit");
    write_all_at(file, &mut [io::IoSlice::new(meant)], at)?;
    file.sync()
}

/// Ends the file behind its last whole record, and syncs it: what is served from now on stays.
///
/// What is not known to be synced is written once more first: where an earlier sync of it failed,
/// the system may hold pages that it takes for written and that are not on the disk.
pub(super) fn cut(journal: &Journal, at: u64, synced: u64) -> Result<()> {
    let cannot = |e| failed(&format!("cut {}", journal.place(at)), e);
    let mut window = Window::new(&*journal.file, journal.length);
    let behind = look_behind(&mut window, at, journal.header.salt).map_err(cannot)?;
    if behind.end > at {
        let (octets, place) = (behind.end - at, journal.place(at));
        tracing::warn!(%place, octets, "cut the torn tail, which nobody was told was on disk");
    }
    if journal.length > at {
        journal.file.set_len(at).map_err(cannot)?;
    }
    let mut from = synced - synced % u64::from(BLOCK);
    while from < at {
        let octets = window
            .take(from, (at - from).min(1 << 20) as usize)
            .map_err(cannot)?;
        let written = write_all_at(&*journal.file, &mut [io::IoSlice::new(&octets)], from);
        written.map_err(cannot)?;
        from += octets.len().max(1) as u64;
    }
    journal.file.sync().map_err(cannot)
}
