//! What happened to a cursor, as a store keeps it.

use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};

use super::Mark;
use crate::{
    error::Result,
    id::{Millis, Offset},
    wire::{Reader, Writer},
};

/// One change of a cursor. Applying a change twice is applying it once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// These offsets are settled.
    Settle(Range<Offset>),
    /// Of the 1,024 offsets from `base` on, those whose bit is set are settled.
    SettleBits {
        /// The first of them.
        base: Offset,
        /// The lowest bit of the first word is `base`.
        words: Box<[u64; WORDS]>,
    },
    /// Each of these offsets was delivered so many times without success.
    Attempts {
        /// The offsets.
        offsets: Range<Offset>,
        /// The new count.
        attempts: u32,
    },
    /// This offset waits until `due`; `None` ends the waiting.
    Defer {
        /// The offset.
        offset: Offset,
        /// When it may be delivered again.
        due: Option<Millis>,
    },
    /// Nothing at or beyond was delivered.
    Horizon(Offset),
    /// Everything below is settled and nothing else is.
    Seek(Offset),
    /// A client's note with a positional commit.
    Mark(Mark),
}

/// Words of 64 bits in a [`Change::SettleBits`].
pub const WORDS: usize = 16;
const PAGE: u64 = WORDS as u64 * 64;
/// Ranges in a page from which on its bits are shorter.
const MANY: usize = 24;

/// Settled ranges as changes: where there are many in a page, as bits, so that a snapshot is no
/// larger than a bit an offset whatever the order of acks.
pub(super) fn settled(ranges: impl Iterator<Item = Range<Offset>>) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut page: Vec<Range<Offset>> = Vec::new();
    for range in ranges {
        let number = |range: &Range<Offset>| range.start.0 / PAGE;
        if page
            .first()
            .is_some_and(|first| number(first) != number(&range))
        {
            flush_page(&mut page, &mut changes);
        }
        if range.end.0 > (number(&range) + 1) * PAGE {
            flush_page(&mut page, &mut changes);
            changes.push(Change::Settle(range));
        } else {
            page.push(range);
        }
    }
    flush_page(&mut page, &mut changes);
    changes
}

fn flush_page(page: &mut Vec<Range<Offset>>, changes: &mut Vec<Change>) {
    let ranges = std::mem::take(page);
    let Some(first) = ranges.first().filter(|_| ranges.len() >= MANY) else {
        changes.extend(ranges.into_iter().map(Change::Settle));
        return;
    };
    let base = first.start.0 / PAGE * PAGE;
    let mut words = Box::new([0; WORDS]);
    for at in ranges.iter().flat_map(|range| range.start.0..range.end.0) {
        words[((at - base) / 64) as usize] |= 1 << (at % 64);
    }
    let base = Offset(base);
    changes.push(Change::SettleBits { base, words });
}

/// The ranges whose bits are set.
pub(super) fn ranges_of(base: Offset, words: &[u64; WORDS]) -> Vec<Range<Offset>> {
    let mut ranges: Vec<Range<Offset>> = Vec::new();
    let set = (0..PAGE).filter(|at| words[(at / 64) as usize] >> (at % 64) & 1 == 1);
    for offset in set.map(|at| base.plus(at)) {
        match ranges.last_mut() {
            Some(last) if last.end == offset => last.end = offset.next(),
            _ => ranges.push(offset..offset.next()),
        }
    }
    ranges
}

const SETTLE: u8 = 1;
const ATTEMPTS: u8 = 2;
const DEFER: u8 = 3;
const HORIZON: u8 = 4;
const SEEK: u8 = 5;
const MARK: u8 = 6;
const SETTLE_BITS: u8 = 7;
/// As [`ATTEMPTS`], of several offsets.
const ATTEMPTS_IN: u8 = 8;

/// Writes changes behind one another.
pub fn encode_changes(changes: &[Change]) -> Bytes {
    let mut out = BytesMut::with_capacity(changes.len() * 8);
    for change in changes {
        encode(&mut out, change);
    }
    out.freeze()
}

/// Reads what [`encode_changes`] wrote.
///
/// # Errors
/// `Invalid` for cut or unknown changes: a cursor must not guess.
pub fn decode_changes(bytes: Bytes) -> Result<Vec<Change>> {
    let mut reader = Reader::new(bytes, "read cursor");
    let mut changes = Vec::new();
    while !reader.is_empty() {
        changes.push(decode(&mut reader)?);
    }
    Ok(changes)
}

fn encode(out: &mut BytesMut, change: &Change) {
    match change {
        Change::Settle(range) => {
            out.put_u8(SETTLE);
            put_range(out, range);
        }
        Change::SettleBits { base, words } => {
            out.put_u8(SETTLE_BITS);
            out.put_varint(base.0);
            words.iter().for_each(|word| out.put_u64(*word));
        }
        Change::Attempts { offsets, attempts } => {
            if offsets.start.next() == offsets.end {
                out.put_u8(ATTEMPTS);
                out.put_varint(offsets.start.0);
            } else {
                out.put_u8(ATTEMPTS_IN);
                put_range(out, offsets);
            }
            out.put_varint(u64::from(*attempts));
        }
        Change::Defer { offset, due } => {
            out.put_u8(DEFER);
            out.put_varint(offset.0);
            out.put_u8(u8::from(due.is_some()));
            out.put_i64(due.unwrap_or_default().0);
        }
        Change::Horizon(offset) => {
            out.put_u8(HORIZON);
            out.put_varint(offset.0);
        }
        Change::Seek(offset) => {
            out.put_u8(SEEK);
            out.put_varint(offset.0);
        }
        Change::Mark(mark) => {
            out.put_u8(MARK);
            out.put_i32(mark.leader_epoch);
            out.put_i64(mark.at.0);
            out.put_bytes_with_length(&mark.metadata);
        }
    }
}

fn put_range(out: &mut BytesMut, range: &Range<Offset>) {
    out.put_varint(range.start.0);
    out.put_varint(range.end.0.saturating_sub(range.start.0));
}

fn read_range(reader: &mut Reader, length: Option<u64>) -> Result<Range<Offset>> {
    let start = reader.varint()?;
    let length = length.map_or_else(|| reader.varint(), Ok)?;
    let end = start.checked_add(length);
    let end = end.ok_or_else(|| reader.invalid("a range beyond 64 bits"))?;
    Ok(Offset(start)..Offset(end))
}

fn decode(reader: &mut Reader) -> Result<Change> {
    Ok(match reader.u8()? {
        SETTLE => Change::Settle(read_range(reader, None)?),
        tag @ (ATTEMPTS | ATTEMPTS_IN) => Change::Attempts {
            offsets: read_range(reader, (tag == ATTEMPTS).then_some(1))?,
            attempts: u32::try_from(reader.varint()?).unwrap_or(u32::MAX),
        },
        DEFER => {
            let offset = Offset(reader.varint()?);
            let some = reader.u8()? != 0;
            let due = Millis(reader.i64()?);
            Change::Defer {
                offset,
                due: some.then_some(due),
            }
        }
        SETTLE_BITS => {
            let base = Offset(reader.varint()?);
            let mut words = Box::new([0; WORDS]);
            for word in words.iter_mut() {
                *word = reader.u64()?;
            }
            if base.0.checked_add(PAGE).is_none() {
                return Err(reader.invalid("a range beyond 64 bits"));
            }
            Change::SettleBits { base, words }
        }
        HORIZON => Change::Horizon(Offset(reader.varint()?)),
        SEEK => Change::Seek(Offset(reader.varint()?)),
        MARK => Change::Mark(Mark {
            leader_epoch: reader.u32()?.cast_signed(),
            at: Millis(reader.i64()?),
            metadata: reader.bytes()?,
        }),
        tag => return Err(reader.invalid(format!("unknown change {tag}"))),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `count` ranges of one offset, every other one free, the last of them at `end`.
    fn every_other(count: u64, end: u64) -> Vec<Range<Offset>> {
        let starts = (0..count).rev().map(|n| Offset(end - 1 - 2 * n));
        starts.map(|start| start..start.next()).collect()
    }

    proptest! {
        #[test]
        fn settled_ranges_come_back_as_they_were(steps in prop::collection::vec((1u64..40, 1u64..30), 0..300)) {
            let mut ranges = Vec::new();
            let mut at = Offset(1);
            for (gap, length) in steps {
                let start = at.plus(gap);
                at = start.plus(length);
                ranges.push(start..at);
            }
            let changes = settled(ranges.iter().cloned());
            let back = changes.iter().flat_map(|change| match change {
                Change::Settle(range) => vec![range.clone()],
                Change::SettleBits { base, words } => ranges_of(*base, words),
                other => panic!("{other:?} settles nothing"),
            });
            prop_assert_eq!(back.collect::<Vec<_>>(), ranges);
        }
    }

    #[test]
    fn a_page_of_many_ranges_is_one_change_and_one_of_few_is_a_change_a_range() {
        let page = Offset(2048);
        for end in [page.0 + 1024, page.0 + 1023] {
            let many = settled(every_other(24, end).into_iter());
            assert!(
                matches!(&many[..], [Change::SettleBits { base, .. }] if *base == page),
                "{many:?}"
            );
        }
        let few = every_other(23, page.0 + 1024);
        let changes: Vec<_> = few.iter().cloned().map(Change::Settle).collect();
        assert_eq!(settled(few.into_iter()), changes);
    }

    #[test]
    fn a_range_over_two_pages_is_a_change_of_its_own() {
        let mut ranges = every_other(24, 1000);
        ranges.push(Offset(1010)..Offset(1025));
        let changes = settled(ranges.into_iter());
        assert!(
            matches!(&changes[..], [Change::SettleBits { .. }, Change::Settle(range)] if range.end.0 == 1025),
            "{changes:?}"
        );
    }

    #[test]
    fn every_change_reads_as_it_was_written_and_a_cut_one_is_refused() {
        let offset = Offset(300);
        let mut words = Box::new([0; WORDS]);
        (words[0], words[WORDS - 1]) = (1, u64::MAX);
        let changes = [
            Change::Settle(Offset(5)..offset),
            Change::SettleBits {
                base: offset,
                words,
            },
            Change::Attempts {
                offsets: offset..offset.next(),
                attempts: 7,
            },
            Change::Attempts {
                offsets: offset..Offset(900),
                attempts: 7,
            },
            Change::Defer { offset, due: None },
            Change::Defer {
                offset,
                due: Some(Millis(-4)),
            },
            Change::Horizon(offset),
            Change::Seek(offset),
            Change::Mark(Mark {
                leader_epoch: -1,
                metadata: Bytes::from_static(b"words"),
                at: Millis(9),
            }),
        ];
        for change in &changes {
            let encoded = encode_changes(std::slice::from_ref(change));
            assert_eq!(
                decode_changes(encoded.clone()).unwrap(),
                std::slice::from_ref(change)
            );
            let cut = encoded.slice(..encoded.len() - 1);
            assert!(decode_changes(cut).is_err(), "{change:?}");
        }
        assert_eq!(decode_changes(encode_changes(&changes)).unwrap(), changes);
    }

    #[test]
    fn what_is_unknown_or_beyond_the_last_offset_is_refused() {
        let mut range = BytesMut::new();
        range.put_u8(SETTLE);
        range.put_varint(u64::MAX);
        range.put_varint(1);
        let base = Offset(u64::MAX - 5);
        let bits = Change::SettleBits {
            base,
            words: Box::new([1; WORDS]),
        };
        let refused = [
            range.freeze(),
            encode_changes(&[bits]),
            Bytes::from_static(&[0]),
        ];
        for bytes in refused {
            assert!(decode_changes(bytes.clone()).is_err(), "{bytes:?}");
        }
    }
}
