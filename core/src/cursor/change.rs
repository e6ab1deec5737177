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

const SETTLE: u8 = 1;
const ATTEMPTS: u8 = 2;
const DEFER: u8 = 3;
const HORIZON: u8 = 4;
const SEEK: u8 = 5;
const MARK: u8 = 6;

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
