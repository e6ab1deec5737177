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
    /// This offset was delivered so many times without success.
    Attempts {
        /// The offset.
        offset: Offset,
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
            out.put_varint(range.start.0);
            out.put_varint(range.end.0.saturating_sub(range.start.0));
        }
        Change::SettleBits { base, words } => {
            out.put_u8(SETTLE_BITS);
            out.put_varint(base.0);
            words.iter().for_each(|word| out.put_u64(*word));
        }
        Change::Attempts { offset, attempts } => {
            out.put_u8(ATTEMPTS);
            out.put_varint(offset.0);
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

fn decode(reader: &mut Reader) -> Result<Change> {
    Ok(match reader.u8()? {
        SETTLE => {
            let (start, length) = (reader.varint()?, reader.varint()?);
            let end = start
                .checked_add(length)
                .ok_or_else(|| reader.invalid("a range beyond 64 bits"))?;
            Change::Settle(Offset(start)..Offset(end))
        }
        ATTEMPTS => Change::Attempts {
            offset: Offset(reader.varint()?),
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
