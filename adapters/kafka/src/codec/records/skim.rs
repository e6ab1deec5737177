//! Passing over the records of a batch: whether they read, what reading them takes, and what is
//! told of them without a copy of each.

use std::ops::Range;

use super::{BadBatch, compression::LIMIT, varint};

/// What a record counts beside its octets: as a message it takes some 1100 octets of memory, which is
/// eight times this and the least that it has on the wire. So what is read at once takes 512 MiB.
const RECORD: usize = 128;
/// The same of a header, which takes some 260.
const HEADER: usize = 32;

/// What is told of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Skimmed {
    /// Milliseconds after the batch's base timestamp.
    pub(super) timestamp_delta: i64,
    pub(super) key: Key,
    headers: usize,
}

/// Whether a record has a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Some,
    None,
}

/// Passes over decompressed records: as many as announced, at consecutive offsets. The first error is
/// [`BadBatch::Invalid`] where one does not read, [`BadBatch::TooLarge`] where there are more of them
/// than count [`LIMIT`] octets; nothing behind it is of use.
#[derive(Debug)]
pub(super) struct Skim<'a> {
    rest: &'a [u8],
    deltas: Range<i32>,
    room: usize,
}

impl<'a> Skim<'a> {
    pub(super) fn over(records: &'a [u8], count: i32) -> Self {
        Self {
            rest: records,
            deltas: 0..count,
            room: LIMIT.saturating_sub(records.len()),
        }
    }

    /// Octets that were not passed over.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }
}

impl Iterator for Skim<'_> {
    type Item = Result<Skimmed, BadBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let (delta, count) = (self.deltas.next()?, self.deltas.end);
        let Some(record) = skim(&mut self.rest, delta) else {
            let message = format!("record {delta} of {count} does not read");
            return Some(Err(BadBatch::Invalid(message)));
        };
        let cost = RECORD + record.headers.saturating_mul(HEADER);
        let Some(room) = self.room.checked_sub(cost) else {
            let message = format!(
                "{count} records count more than {LIMIT} octets: {RECORD} each, {HEADER} a header, and their own"
            );
            return Some(Err(BadBatch::TooLarge(message)));
        };
        self.room = room;
        Some(Ok(record))
    }
}

/// Passes over one record, which must be at that offset of its batch; `None` where it does not read.
fn skim(rest: &mut &[u8], delta: i32) -> Option<Skimmed> {
    let mut record = sized(rest)?;
    take(&mut record, 1)?;
    let timestamp_delta = varint::take(&mut record)?;
    if varint::take(&mut record)? != i64::from(delta) {
        return None;
    }
    let key = skip(&mut record)?;
    skip(&mut record)?;
    let headers = headers(&mut record)?;
    for _ in 0..headers {
        sized(&mut record)?;
        skip(&mut record)?;
    }
    record.is_empty().then_some(Skimmed {
        timestamp_delta,
        key,
        headers,
    })
}

/// Passes over octets behind their length, or null.
fn skip(record: &mut &[u8]) -> Option<Key> {
    match varint::take(record)? {
        -1 => Some(Key::None),
        length => take(record, usize::try_from(length).ok()?).map(|_| Key::Some),
    }
}

/// How many headers there are; each has two lengths at least.
fn headers(record: &mut &[u8]) -> Option<usize> {
    let count = length(record)?;
    (count <= record.len() / 2).then_some(count)
}

/// Octets behind their length.
fn sized<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = length(rest)?;
    take(rest, length)
}

fn length(rest: &mut &[u8]) -> Option<usize> {
    usize::try_from(varint::take(rest)?).ok()
}

fn take<'a>(rest: &mut &'a [u8], n: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(n)?;
    *rest = left;
    Some(taken)
}
