//! A walk over the records of a producer's batch before it is appended.

use std::io;

use bytes::Bytes;
use standpipe_core::entry::Draft;

use super::{
    BadBatch,
    compression::{Compression, LIMIT},
    header::{BatchHeader, LENGTH},
    varint,
};

/// The records of a batch, decompressed: as many as it announces, whole, at consecutive offsets, and
/// nothing behind them.
#[derive(Debug)]
pub(crate) struct Survey {
    pub(super) compression: Compression,
    pub(super) records: Bytes,
    count: i32,
}

impl Survey {
    /// Reads the records of a checked batch.
    ///
    /// # Errors
    /// [`BadBatch::Invalid`], as Kafka does where they do not decompress, or are not what the header
    /// says; [`BadBatch::TooLarge`] where more comes out than any reader takes.
    pub(crate) fn of(draft: &Draft) -> Result<Self, BadBatch> {
        let header =
            BatchHeader::read(&draft.body).ok_or_else(|| invalid("the batch is cut short"))?;
        let compression = Compression::from_number(header.compression())
            .ok_or(BadBatch::Compression(header.compression()))?;
        let records = compression
            .decompress(&draft.body.slice(LENGTH..), LIMIT)
            .map_err(|error| match error.kind() {
                io::ErrorKind::FileTooLarge => BadBatch::TooLarge(error.to_string()),
                _ => invalid(&format!("the batch does not decompress: {error}")),
            })?;
        let survey = Self {
            compression,
            records,
            count: header.count,
        };
        survey.check()?;
        Ok(survey)
    }

    /// The places of the records without a key.
    pub(crate) fn keyless(&self) -> impl Iterator<Item = i32> {
        let mut rest = &self.records[..];
        (0..self.count).filter(move |delta| skim(&mut rest, *delta) == Some(Key::None))
    }

    fn check(&self) -> Result<(), BadBatch> {
        let mut rest = &self.records[..];
        for delta in 0..self.count {
            if skim(&mut rest, delta).is_none() {
                let count = self.count;
                return Err(invalid(&format!("record {delta} of {count} does not read")));
            }
        }
        match rest.len() {
            0 => Ok(()),
            more => Err(invalid(&format!("{more} octets follow the last record"))),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Some,
    None,
}

/// Passes over one record, which must be at that offset of its batch; `None` where it does not read.
fn skim(rest: &mut &[u8], delta: i32) -> Option<Key> {
    let mut record = sized(rest)?;
    take(&mut record, 1)?;
    varint::take(&mut record)?;
    if varint::take(&mut record)? != i64::from(delta) {
        return None;
    }
    let key = skip(&mut record)?;
    skip(&mut record)?;
    for _ in 0..headers(&mut record)? {
        sized(&mut record)?;
        skip(&mut record)?;
    }
    record.is_empty().then_some(key)
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

fn invalid(message: &str) -> BadBatch {
    BadBatch::Invalid(message.into())
}
