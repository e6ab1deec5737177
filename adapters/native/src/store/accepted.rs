//! What of the journal was given up: damage that hides whose it was and that a person has accepted.
//!
//! A line each, `FILE FROM TO SEQ CRC`, the first two of which are where recovery goes on at `TO`
//! behind commit `SEQ`. Lines are only added. The journal itself stays as it is.

use std::io;

use standpipe_core::checksum::crc32c;

use super::{
    header::FILE_HEADER,
    position::{Position, journal_name},
    vfs::{Disk, read_full_at, write_all_at},
};

const NAME: &str = "accepted-loss";
/// Far above what a person accepts.
const LONGEST: u64 = 1024 * 1024;

/// A stretch of the journal that is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Skip {
    pub(crate) from: Position,
    /// Octets from the file's start; all of them where the file is given up.
    pub(crate) to: u32,
    /// The last commit that is passed over.
    pub(crate) seq: u64,
}

impl Skip {
    /// A whole file.
    pub(crate) fn file(number: u32) -> Self {
        Self {
            from: Position::new(number, 0),
            to: u32::MAX,
            seq: 0,
        }
    }

    /// The commits between two files.
    pub(crate) fn before(number: u32, seq: u64) -> Self {
        Self {
            from: Position::new(number, 0),
            to: FILE_HEADER as u32,
            seq,
        }
    }

    /// What is said of offsets that were in it.
    pub(crate) fn why(&self) -> String {
        format!("they were in what was passed over, {self}")
    }

    pub(crate) fn is_file(&self) -> bool {
        self.to == u32::MAX
    }

    fn line(&self) -> String {
        let Self { from, to, seq } = self;
        let line = format!("{} {} {to} {seq}", from.file, from.at);
        let crc = crc32c(line.as_bytes());
        format!("{line} {crc:08x}\n")
    }

    /// `None` for a line that is not as it was written.
    fn parse(line: &str) -> Option<Self> {
        let words: Vec<_> = line.split(' ').collect();
        let [file, at, to, seq, _] = words[..] else {
            return None;
        };
        let skip = Self {
            from: Position::new(file.parse().ok()?, at.parse().ok()?),
            to: to.parse().ok()?,
            seq: seq.parse().ok()?,
        };
        (skip.line().trim_end() == line).then_some(skip)
    }
}

/// Whether damage that was not given up before is given up now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum More {
    Refused,
    Accepted,
}

/// What was given up, and what is on the way.
#[derive(Debug)]
pub(crate) struct Accepted {
    known: Vec<Skip>,
    fresh: Vec<Skip>,
    more: More,
}

impl Accepted {
    /// Reads what was given up; what of it is damaged does not count.
    pub(crate) fn read(disk: &dyn Disk, more: More) -> io::Result<Self> {
        let known = match disk.open(NAME) {
            Ok(file) => {
                let mut octets = vec![0; file.len()?.min(LONGEST) as usize];
                let read = read_full_at(&*file, &mut octets, 0)?;
                let text = String::from_utf8_lossy(&octets[..read]);
                text.lines().filter_map(Skip::parse).collect()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        Ok(Self {
            known,
            fresh: Vec::new(),
            more,
        })
    }

    /// Writes down what is given up now, behind what was before: that stays whatever comes of it.
    pub(crate) fn write(&self, disk: &dyn Disk) -> io::Result<()> {
        let file = match disk.open(NAME) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => disk.create(NAME, 0)?,
            opened => opened?,
        };
        let end = file.len()?;
        // A line that was cut short ends here.
        let mut text = String::from(if end == 0 { "" } else { "\n" });
        text.extend(self.fresh.iter().map(Skip::line));
        if end + text.len() as u64 > LONGEST {
            return Err(io::Error::other(format!(
                "{NAME} would be longer than {LONGEST} octets; restore the damaged files from a copy"
            )));
        }
        write_all_at(&*file, &mut [io::IoSlice::new(text.as_bytes())], end)?;
        file.sync()?;
        disk.sync_names()
    }

    /// What is given up from `skip.from` on: as it was written down, else `skip` itself where more
    /// is accepted; `None` where it is not given up.
    pub(crate) fn pass(&mut self, skip: Skip) -> Option<Skip> {
        let same = |other: &&Skip| other.from == skip.from && other.is_file() == skip.is_file();
        if let Some(known) = self.known.iter().chain(&self.fresh).find(same) {
            return Some(*known);
        }
        (self.more == More::Accepted).then(|| {
            self.fresh.push(skip);
            skip
        })
    }

    /// Whether what begins at `from` was given up.
    pub(crate) fn knows(&self, from: Position) -> bool {
        self.known.iter().any(|skip| skip.from == from)
    }

    /// Whether a whole file is given up.
    pub(crate) fn knows_file(&self, number: u32) -> bool {
        let skips = self.known.iter().chain(&self.fresh);
        let mut files = skips.filter(|skip| skip.is_file());
        files.any(|skip| skip.from.file == number)
    }

    /// What was not given up before.
    pub(crate) fn fresh(&self) -> &[Skip] {
        &self.fresh
    }
}

impl std::fmt::Display for Skip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.is_file() {
            true => f.write_str(&journal_name(self.from.file)),
            false => write!(f, "{} to {}", self.from, self.to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_damaged_does_not_count() {
        let skip = Skip {
            from: Position::new(7, 4096),
            to: 8192,
            seq: 12,
        };
        let line = skip.line();
        assert_eq!(Skip::parse(line.trim_end()), Some(skip));
        assert_eq!(Skip::parse(&line.replace("8192", "8193")), None);
        assert_eq!(Skip::parse("7 4096 8192"), None);
    }
}
