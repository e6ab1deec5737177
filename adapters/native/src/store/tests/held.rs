//! What one log should hold.

use std::ops::Range;

use bytes::Bytes;
use standpipe_core::{
    entry::{Draft, Entry},
    id::{Millis, Offset},
};

/// A log as its commits left it.
#[derive(Default)]
pub(super) struct Held {
    start: u64,
    end: u64,
    entries: Vec<Expected>,
    forgotten: Vec<Range<u64>>,
}

struct Expected {
    base: u64,
    end: u64,
    time: Millis,
    body: Bytes,
}

impl Held {
    pub(super) fn bounds(&self) -> (u64, u64) {
        (self.start, self.end)
    }

    pub(super) fn append(&mut self, draft: &Draft) {
        let base = self.end;
        self.end += u64::from(draft.span);
        self.entries.push(Expected {
            base,
            end: self.end,
            time: draft.created.expect("every draft has a time").1,
            body: draft.body.clone(),
        });
    }

    pub(super) fn trim(&mut self, below: Offset) {
        self.start = self.start.max(below.0.min(self.end));
    }

    pub(super) fn forget(&mut self, range: &Range<Offset>) {
        // What is not there yet is not forgotten.
        let end = range.end.0.min(self.end);
        self.forgotten.push(range.start.0..end);
    }

    /// A read from `from` saw all of it, or, where not `whole`, some from there on: each entry as
    /// it was appended, once, and none passed over but what nobody needs.
    pub(super) fn check(&self, read: &[Entry], from: u64, whole: bool) {
        let mut read = read.iter().peekable();
        assert!(read.peek().is_some() || self.is_needless(from, self.end));
        for expected in self.entries.iter().filter(|entry| entry.end > from) {
            let found = read.next_if(|entry| entry.base_offset.0 == expected.base);
            match found {
                Some(entry) => {
                    assert_eq!(entry.end_offset().0, expected.end);
                    assert_eq!(*entry.body(), expected.body);
                }
                None if !whole && read.peek().is_none() => return,
                None => assert!(
                    self.is_needless(expected.base.max(from), expected.end),
                    "{} to {} is missing",
                    expected.base,
                    expected.end
                ),
            }
        }
        assert_eq!(read.next(), None, "read again, or never appended");
    }

    /// A look-up by time found the first one that somebody needs.
    pub(super) fn check_time(&self, found: Option<&Entry>, at: Millis) {
        let later = |entry: &&Expected| entry.end > self.start && entry.time >= at;
        for expected in self.entries.iter().filter(later) {
            let is_found = found.is_some_and(|entry| entry.base_offset.0 == expected.base);
            assert_eq!(
                is_found,
                !self.is_needless(expected.base, expected.end),
                "{at:?}: {} to {}, found {found:?}",
                expected.base,
                expected.end
            );
            if is_found {
                return;
            }
        }
        assert_eq!(found, None);
    }

    /// Whether all of it is trimmed or forgotten.
    fn is_needless(&self, from: u64, to: u64) -> bool {
        let mut at = from.max(self.start);
        while at < to {
            let further = self.forgotten.iter().filter(|range| range.contains(&at));
            match further.map(|range| range.end).max() {
                Some(end) => at = end,
                None => return false,
            }
        }
        true
    }
}
