//! What a record says, step by step, as octets.
//!
//! ```text
//! 1 append         log, envelope, body
//! 2 append shared  log, 4 the body's place in this record, envelope
//! 3 trim           log, 8 below
//! 4 drop log       log
//! 5 put            key, value, each behind its length
//! 6 remove         key behind its length
//! 7 cursor         cursor, change behind its length
//! 8 cursor, reset  likewise
//! 9 drop cursor    cursor
//! 10 forget        log, 8 first offset, 8 behind the last
//! ```
//! A log is 16 octets of topic id and 4 of partition, a cursor 16 of subscription id and 4 of partition.

use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};
use standpipe_core::{
    entry::EntryHead,
    error::Result,
    id::{CursorId, LogId, Offset, PartitionId, SubscriptionId, TopicId},
    store::{Expect, Op},
    wire::{Reader, Writer},
};
use uuid::Uuid;

use super::{position::Position, record::Extent};

pub(super) const APPEND: u8 = 1;
pub(super) const APPEND_SHARED: u8 = 2;
const TRIM: u8 = 3;
const DROP_LOG: u8 = 4;
const PUT: u8 = 5;
const REMOVE: u8 = 6;
const CURSOR: u8 = 7;
const CURSOR_RESET: u8 = 8;
const DROP_CURSOR: u8 = 9;
const FORGET: u8 = 10;
const OPERATION: &str = "read journal";

/// One step, read back.
#[derive(Debug)]
pub(crate) enum Step {
    Append(Append),
    /// Any other; a key's expectation is not kept, since it held.
    Other(Op),
}

/// An entry in a record; places are octets from the record's start.
#[derive(Debug)]
pub(crate) struct Append {
    pub(crate) log: LogId,
    pub(crate) head: EntryHead,
    pub(crate) head_at: usize,
    pub(crate) head_length: usize,
    pub(crate) body_at: usize,
    /// Whether the body is this entry's own, directly behind the envelope.
    pub(crate) inline: bool,
}

impl Append {
    /// The offsets that the entry covers.
    pub(crate) fn offsets(&self) -> Range<Offset> {
        self.head.without_body().base_offset..self.head.end_offset()
    }

    /// Where it lies, in a record that begins at `place`.
    pub(crate) fn extent(&self, place: Position) -> Extent {
        let inside = |at: usize| u32::try_from(at).expect("a record is below 4 GiB");
        Extent {
            file: place.file,
            head: place.at + inside(self.head_at),
            head_length: inside(self.head_length),
            body: place.at + inside(self.body_at),
            body_length: inside(self.head.body_length()),
        }
    }

    /// Where the step ends.
    pub(crate) fn end(&self) -> usize {
        self.head_at
            + self.head_length
            + if self.inline {
                self.head.body_length()
            } else {
                0
            }
    }
}

pub(super) fn put_log(out: &mut BytesMut, tag: u8, log: LogId) {
    out.put_u8(tag);
    out.put_slice(log.topic.0.as_bytes());
    out.put_u32(log.partition.0);
}

pub(super) fn put_trim(out: &mut BytesMut, log: LogId, below: Offset) {
    put_log(out, TRIM, log);
    out.put_u64(below.0);
}

pub(super) fn put_forget(out: &mut BytesMut, log: LogId, range: &Range<Offset>) {
    put_log(out, FORGET, log);
    out.put_u64(range.start.0);
    out.put_u64(range.end.0);
}

pub(super) fn put_drop_log(out: &mut BytesMut, log: LogId) {
    put_log(out, DROP_LOG, log);
}

pub(super) fn put_key(out: &mut BytesMut, key: &[u8], value: Option<&[u8]>) {
    out.put_u8(if value.is_some() { PUT } else { REMOVE });
    out.put_bytes_with_length(key);
    if let Some(value) = value {
        out.put_bytes_with_length(value);
    }
}

pub(super) fn put_cursor(out: &mut BytesMut, cursor: CursorId, change: &[u8], reset: bool) {
    put_cursor_id(out, if reset { CURSOR_RESET } else { CURSOR }, cursor);
    out.put_bytes_with_length(change);
}

pub(super) fn put_drop_cursor(out: &mut BytesMut, cursor: CursorId) {
    put_cursor_id(out, DROP_CURSOR, cursor);
}

fn put_cursor_id(out: &mut BytesMut, tag: u8, cursor: CursorId) {
    out.put_u8(tag);
    out.put_slice(cursor.subscription.0.as_bytes());
    out.put_u32(cursor.partition.0);
}

/// Reads the step at `at` of `record`; returns it and where the next one begins.
///
/// # Errors
/// `Invalid` or `Corrupt` where the octets are no step.
pub(crate) fn take_step(record: &Bytes, at: usize) -> Result<(Step, usize)> {
    let mut reader = Reader::new(record.slice(at..), OPERATION);
    let op = match reader.u8()? {
        tag @ (APPEND | APPEND_SHARED) => {
            let append = take_append(record, at, &mut reader, tag == APPEND)?;
            let end = append.end();
            if end > record.len() {
                return Err(reader.invalid("a body reaches beyond its record"));
            }
            return Ok((Step::Append(append), end));
        }
        TRIM => Op::Trim {
            log: take_log(&mut reader)?,
            below: Offset(reader.u64()?),
        },
        FORGET => Op::Forget {
            log: take_log(&mut reader)?,
            range: Offset(reader.u64()?)..Offset(reader.u64()?),
        },
        DROP_LOG => Op::DropLog {
            log: take_log(&mut reader)?,
        },
        tag @ (PUT | REMOVE) => Op::PutIf {
            key: take_copy(&mut reader)?,
            expect: Expect::Any,
            value: (tag == PUT).then(|| take_copy(&mut reader)).transpose()?,
        },
        tag @ (CURSOR | CURSOR_RESET) => Op::Cursor {
            cursor: take_cursor(&mut reader)?,
            change: take_copy(&mut reader)?,
            reset: tag == CURSOR_RESET,
        },
        DROP_CURSOR => Op::DropCursor {
            cursor: take_cursor(&mut reader)?,
        },
        other => return Err(reader.invalid(format!("unknown step {other}"))),
    };
    Ok((Step::Other(op), record.len() - reader.remaining()))
}

fn take_append(record: &Bytes, at: usize, reader: &mut Reader, inline: bool) -> Result<Append> {
    let log = take_log(reader)?;
    let shared_at = if inline { 0 } else { reader.u32()? as usize };
    let head_at = record.len() - reader.remaining();
    let (head, head_length) = EntryHead::decode(record, head_at)?;
    let body_at = if inline {
        head_at + head_length
    } else {
        shared_at
    };
    if !inline && body_at + head.body_length() > at {
        return Err(reader.invalid("a shared body lies behind its entry"));
    }
    Ok(Append {
        log,
        head,
        head_at,
        head_length,
        body_at,
        inline,
    })
}

/// A copy, since what is kept must not hold on to the whole buffer that was read.
fn take_copy(reader: &mut Reader) -> Result<Bytes> {
    Ok(Bytes::copy_from_slice(&reader.bytes()?))
}

fn take_uuid(reader: &mut Reader) -> Result<Uuid> {
    let octets = reader.take(16)?;
    Uuid::from_slice(&octets).map_err(|_| reader.invalid("no id"))
}

fn take_log(reader: &mut Reader) -> Result<LogId> {
    Ok(LogId {
        topic: TopicId(take_uuid(reader)?),
        partition: PartitionId(reader.u32()?),
    })
}

fn take_cursor(reader: &mut Reader) -> Result<CursorId> {
    Ok(CursorId {
        subscription: SubscriptionId(take_uuid(reader)?),
        partition: PartitionId(reader.u32()?),
    })
}
