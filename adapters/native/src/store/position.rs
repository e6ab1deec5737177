//! A place in the journal.

use std::fmt;

/// What disks and page caches write at once.
pub(crate) const BLOCK: u32 = 4096;

/// A journal file's number and an octet in it. Ordered as the journal was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Position {
    /// The file's number, from 1; 0 is before all files.
    pub(crate) file: u32,
    /// Octets from the file's start.
    pub(crate) at: u32,
}

impl Position {
    pub(crate) fn new(file: u32, at: u32) -> Self {
        Self { file, at }
    }

    /// One number, as records carry it.
    pub(crate) fn pack(self) -> u64 {
        (u64::from(self.file) << 32) | u64::from(self.at)
    }

    pub(crate) fn unpack(packed: u64) -> Self {
        Self::new((packed >> 32) as u32, packed as u32)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", journal_name(self.file), self.at)
    }
}

/// The name of a journal file; sorts as its number does.
pub(crate) fn journal_name(file: u32) -> String {
    format!("{file:010}.journal")
}

/// The number in a journal file's name; `None` for any other name.
pub(crate) fn journal_number(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".journal")?;
    let number = digits.parse().ok()?;
    (journal_name(number) == name).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_we_gave_are_journal_files() {
        assert_eq!(journal_number(&journal_name(17)), Some(17));
        for other in ["17.journal", "+000000017.journal", "lock", "0000000017"] {
            assert_eq!(journal_number(other), None, "{other}");
        }
    }

    #[test]
    fn positions_pack_and_keep_their_order() {
        let (early, late) = (Position::new(1, u32::MAX), Position::new(2, 0));
        assert_eq!(Position::unpack(early.pack()), early);
        assert!(early < late && early.pack() < late.pack());
    }
}
