//! What should be in a log and cannot be read.

use std::ops::Range;

use bytes::Bytes;
use standpipe_core::{
    entry::{Draft, Entry, Format},
    error::{Error, ErrorKind, Result},
    id::{LogId, Millis, Offset},
    ranges::Ranges,
};

use super::recovery::name;

/// Offsets that are damaged or gone and that nobody has given up, and how the first was found.
#[derive(Debug, Default)]
pub(crate) struct Loss {
    ranges: Ranges,
    why: Option<String>,
}

impl Loss {
    /// What was lost before, as a checkpoint has it.
    pub(crate) fn known(ranges: Ranges) -> Self {
        Self { ranges, why: None }
    }

    pub(crate) fn ranges(&self) -> &Ranges {
        &self.ranges
    }

    /// Adds what of `range` is not in `forgotten`; the first reason is the one that is told.
    pub(crate) fn add(&mut self, range: &Range<Offset>, forgotten: &Ranges, why: String) {
        if range.is_empty() || forgotten.cover(range) {
            return;
        }
        self.ranges.insert(range);
        for given_up in forgotten.iter() {
            self.ranges.remove(&given_up);
        }
        self.why.get_or_insert(why);
    }

    /// Nobody needs what is below `start`.
    pub(crate) fn trim(&mut self, start: Offset) {
        self.ranges.trim(start);
    }

    /// Nobody needs `range`.
    pub(crate) fn remove(&mut self, range: &Range<Offset>) {
        self.ranges.remove(range);
    }

    /// Why the log `id` takes no entries; `None` where it is whole.
    pub(crate) fn refusal(&self, id: LogId) -> Option<Error> {
        let first = self.ranges.iter().next()?;
        let message = format!(
            "{}: {}; it takes nothing more until they are trimmed, or given up by `standpipe store \
             check --accept-loss`",
            name(id),
            self.describe(&first)
        );
        Some(Error::new(ErrorKind::Corrupt, "commit", message))
    }

    /// What a read that begins in `range` is told.
    pub(crate) fn read_error(&self, range: &Range<Offset>) -> Error {
        Error::new(ErrorKind::Corrupt, "read log", self.describe(range))
    }

    /// Entries that were read from `from` on, up to where what is lost was passed over.
    ///
    /// # Errors
    /// `Corrupt` where that is before the first of them.
    pub(crate) fn cut(&self, from: Offset, mut entries: Vec<Entry>) -> Result<Vec<Entry>> {
        let mut next = from;
        for at in 0..entries.len() {
            let passed = next..entries[at].base_offset;
            if let Some(lost) = self.ranges.first_in(&passed) {
                entries.truncate(at);
                return match at {
                    0 => Err(self.read_error(&lost)),
                    _ => Ok(entries),
                };
            }
            next = entries[at].end_offset();
        }
        Ok(entries)
    }

    fn describe(&self, range: &Range<Offset>) -> String {
        let (first, last) = (range.start, range.end.0 - 1);
        let why = self.why.as_deref();
        let why = why.unwrap_or("they were found damaged or gone before");
        format!("offsets {first} to {last} are lost: {why}")
    }
}

/// Stands for offsets that are in no file.
pub(crate) fn nothing(lost: &Range<Offset>) -> Entry {
    let span = u32::try_from(lost.end.0 - lost.start.0).unwrap_or(u32::MAX);
    let mut draft = Draft::batch(Format::NATIVE, Bytes::new(), span);
    draft.visible = 0;
    Entry {
        base_offset: lost.start,
        appended: Millis(0),
        leader_epoch: 0,
        draft,
    }
}
