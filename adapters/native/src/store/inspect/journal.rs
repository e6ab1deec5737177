//! Going through the journal's files, past what is damaged.

use std::{io, ops::Range, sync::Arc};

use standpipe_core::id::{LogId, Offset};

use crate::store::{
    header::{FILE_HEADER, FileHeader},
    position::{Position, journal_name, journal_number},
    scan::{Found, find_record, look_behind, scan_from},
    step::Step,
    vfs::{Disk, File, read_full_at},
    window::{Window, first_nonzero},
};

/// What is found on the way, in order.
pub(super) enum Swept<'a> {
    /// A file that does not begin as a journal file does.
    NoHeader(u32),
    /// A record, with the entries whose bodies are not as written.
    Record(Position, &'a [Step], &'a [(LogId, Range<Offset>)]),
    /// Octets up to the place named that should be a record and are none.
    Unreadable(Position, u64),
    /// Octets between records, or behind a file's last, that are not zero.
    Padding(Position),
}

struct Journal {
    number: u32,
    file: Arc<dyn File>,
    header: Option<FileHeader>,
}

/// Goes through all files from number `first` on.
pub(super) fn sweep(
    disk: &dyn Disk,
    first: u32,
    visit: &mut dyn FnMut(Swept<'_>),
) -> io::Result<()> {
    let names = disk.names()?;
    let numbers = names.iter().filter_map(|name| journal_number(name));
    let mut numbers: Vec<_> = numbers.filter(|number| *number >= first).collect();
    numbers.sort_unstable();
    let files: io::Result<Vec<_>> = numbers.iter().map(|n| open(disk, *n)).collect();
    let files = files?;
    for (index, journal) in files.iter().enumerate() {
        let next = files.get(index + 1);
        let is_last = next.is_none();
        let end = next.and_then(|next| next.header).map(|h| h.previous_end);
        match journal.header {
            Some(header) => sweep_file(journal, header, (end, is_last), visit)?,
            None if is_last && is_empty(journal)? => {}
            None => visit(Swept::NoHeader(journal.number)),
        }
    }
    Ok(())
}

fn open(disk: &dyn Disk, number: u32) -> io::Result<Journal> {
    let file = disk.open(&journal_name(number))?;
    let mut start = [0; FILE_HEADER];
    let read = read_full_at(&*file, &mut start, 0)?;
    let header = FileHeader::decode(&start[..read]).or_else(|| FileHeader::mended(&start[..read]));
    Ok(Journal {
        number,
        file,
        header: header.filter(|header| header.number == number),
    })
}

/// Whether the file was only begun: a header is synced before the first record.
fn is_empty(journal: &Journal) -> io::Result<bool> {
    let mut window = Window::new(&*journal.file, journal.file.len()?);
    Ok(first_nonzero(&mut window, FILE_HEADER as u64)?.is_none())
}

fn sweep_file(
    journal: &Journal,
    header: FileHeader,
    (end, is_last): (Option<u32>, bool),
    visit: &mut dyn FnMut(Swept<'_>),
) -> io::Result<()> {
    let place = |at: u64| Position::new(journal.number, u32::try_from(at).unwrap_or(u32::MAX));
    let limit = match end {
        Some(end) => u64::from(end),
        None => journal.file.len()?,
    };
    let mut window = Window::new(&*journal.file, limit);
    let (mut at, mut seq, mut synced) = (FILE_HEADER as u64, header.previous_seq, place(0));
    while at < limit {
        let (start, found) = scan_from(&mut window, at, header.salt, seq)?;
        if let Found::Record {
            header,
            record,
            steps,
            damaged,
            ..
        } = found
        {
            if first_nonzero(&mut window, at)?.is_some_and(|nonzero| nonzero < start) {
                visit(Swept::Padding(place(at)));
            }
            visit(Swept::Record(place(start), &steps, &damaged));
            (at, seq) = (start + record.len() as u64, header.seq);
            synced = synced.max(header.synced);
            continue;
        }
        let behind = look_behind(&mut window, at, header.salt)?;
        if behind.end == at && end.is_none() {
            return Ok(());
        }
        if is_last && synced.max(behind.synced) <= place(at) {
            return Ok(()); // the torn tail
        }
        let next = find_record(&mut window, at + 1, header.salt, seq)?;
        let (to, before) = next.map_or((limit, seq), |(to, next)| (to, next.seq - 1));
        visit(Swept::Unreadable(place(at), to));
        (at, seq) = (to, before);
    }
    let mut rest = Window::new(&*journal.file, journal.file.len()?);
    if let Some(nonzero) = first_nonzero(&mut rest, limit)? {
        visit(Swept::Padding(place(nonzero)));
    }
    Ok(())
}
