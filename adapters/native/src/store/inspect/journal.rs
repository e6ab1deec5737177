//! Going through the journal's files, past what is damaged.

use std::{io, ops::Range};

use standpipe_core::id::{LogId, Offset};

use crate::store::{
    header::{FILE_HEADER, Link},
    journal::{Journal, Opened, known_synced, open_file},
    position::{Position, journal_number},
    scan::{Found, find_record, scan_from},
    step::Step,
    vfs::Disk,
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

/// Goes through all files from number `first` on, up to `end`; where that is not known, up to what
/// may be the torn tail.
pub(super) fn sweep(
    disk: &dyn Disk,
    first: u32,
    end: Option<Position>,
    visit: &mut dyn FnMut(Swept<'_>),
) -> io::Result<()> {
    let names = disk.names()?;
    let numbers = names.iter().filter_map(|name| journal_number(name));
    let last = end.map_or(u32::MAX, |end| end.file);
    let mut numbers: Vec<_> = numbers.filter(|n| (first..=last).contains(n)).collect();
    numbers.sort_unstable();
    let (mut journals, mut headless) = (Vec::new(), Vec::new());
    for number in &numbers {
        match open_file(disk, *number)? {
            Opened::Journal(journal) => journals.push(journal),
            Opened::Empty if Some(number) == numbers.last() => {}
            Opened::Empty | Opened::NoHeader => headless.push(*number),
        }
    }
    headless
        .into_iter()
        .for_each(|number| visit(Swept::NoHeader(number)));
    let mut sweep = Sweep {
        journals: &journals,
        end,
        synced: None,
        visit,
    };
    for index in 0..journals.len() {
        if !sweep.file(index)? {
            break;
        }
    }
    Ok(())
}

struct Sweep<'a> {
    journals: &'a [Journal],
    end: Option<Position>,
    /// The highest position that anything in the journal knows to be synced, once it was asked for.
    synced: Option<Position>,
    visit: &'a mut dyn FnMut(Swept<'_>),
}

impl Sweep<'_> {
    /// Goes through a file; returns whether what comes behind it is to be gone through.
    fn file(&mut self, index: usize) -> io::Result<bool> {
        let journal = &self.journals[index];
        match journal.link {
            Some(link) => self.records(index, link),
            // As recovery has it: a place behind the header that is known to be synced.
            None if self.is_torn(journal.place(FILE_HEADER as u64 - 1))? => Ok(false),
            None => {
                (self.visit)(Swept::NoHeader(journal.id.number));
                Ok(true)
            }
        }
    }

    fn records(&mut self, index: usize, link: Link) -> io::Result<bool> {
        let journal = &self.journals[index];
        let next = self.journals.get(index + 1);
        let next = next.filter(|next| next.id.number == journal.id.number + 1);
        let told = next
            .and_then(|next| next.link)
            .map(|link| link.previous_end);
        let own = self.end.filter(|end| end.file == journal.id.number);
        let told = own.map(|end| end.at).or(told);
        let limit = told.map_or(journal.length, u64::from);
        let mut window = Window::new(&*journal.file, limit);
        let (mut at, mut seq) = (FILE_HEADER as u64, link.previous_seq);
        while at < limit {
            let (start, found) = scan_from(&mut window, at, journal.id.salt, seq)?;
            if let Found::Record {
                header,
                record,
                steps,
                damaged,
                ..
            } = found
            {
                let nonzero = first_nonzero(&mut window, at)?;
                if nonzero.is_some_and(|nonzero| nonzero < start) {
                    (self.visit)(Swept::Padding(journal.place(at)));
                }
                (self.visit)(Swept::Record(journal.place(start), &steps, &damaged));
                (at, seq) = (start + record.len() as u64, header.seq);
                continue;
            }
            // As recovery has it: it knows by the numbers of the commits whether something is missing.
            let unused = told.is_none() || (self.end.is_some() && limit == journal.length);
            if unused && first_nonzero(&mut window, at)?.is_none() {
                return Ok(true);
            }
            if self.is_torn(journal.place(at))? {
                return Ok(false);
            }
            let next = find_record(&mut window, at + 1, journal.id.salt, seq)?;
            let (to, before) = next.map_or((limit, seq), |(to, next)| (to, next.seq - 1));
            (self.visit)(Swept::Unreadable(journal.place(at), to));
            (at, seq) = (to, before);
        }
        let mut rest = Window::new(&*journal.file, journal.length);
        if let Some(nonzero) = first_nonzero(&mut rest, limit)?.filter(|_| own.is_none()) {
            (self.visit)(Swept::Padding(journal.place(nonzero)));
        }
        Ok(true)
    }

    /// Whether what is unreadable at a place may be the torn tail: where the journal ends is not
    /// known, and nothing knows that the place was synced.
    fn is_torn(&mut self, place: Position) -> io::Result<bool> {
        if self.end.is_some() {
            return Ok(false);
        }
        let synced = match self.synced {
            Some(synced) => synced,
            None => known_synced(self.journals, 0)?,
        };
        self.synced = Some(synced);
        Ok(synced <= place)
    }
}
