//! The codec of stored batches.

use bytes::Bytes;
use standpipe_core::{
    Error, ErrorKind, Result,
    codec::Codec,
    entry::{Entry, Format},
    id::Millis,
    message::Message,
};

use super::{
    BadBatch,
    compression::{Compression, LIMIT},
    header::{BatchHeader, LENGTH},
    mapping::message_of,
    record::{Record, Records},
    skim::Skim,
};

/// Reads [`Format::KAFKA2`]: record batches as producers sent them, gzip, snappy, lz4 and zstd
/// included. How a record becomes a message is in `docs/protocol-mapping.md`.
#[derive(Debug, Clone, Copy, Default)]
pub struct KafkaCodec;

impl Codec for KafkaCodec {
    fn format(&self) -> Format {
        Format::KAFKA2
    }

    fn decode(&self, entry: &Entry) -> Result<Vec<Message>> {
        let (header, records) = records(entry.body())?;
        let messages = records.into_iter().map(|record| {
            let timestamp = header.time(record.timestamp_delta);
            message_of(record, timestamp)
        });
        Ok(messages.collect())
    }
}

/// When the records of a stored batch were made, by their producer's clock; `None` where it did not
/// say.
///
/// # Errors
/// As [`KafkaCodec`]'s.
pub(crate) fn times(batch: &Bytes) -> Result<Vec<Option<Millis>>> {
    times_within(batch, LIMIT)
}

/// The same where no more than `limit` octets come out of the batch.
///
/// # Errors
/// As [`times`].
pub(crate) fn times_within(batch: &Bytes, limit: usize) -> Result<Vec<Option<Millis>>> {
    let (header, unpacked) = unpacked(batch, limit)?;
    let records = Skim::over(&unpacked, header.count);
    let times = records.map(|record| record.map(|record| header.time(record.timestamp_delta)));
    let times: Result<_, BadBatch> = times.collect();
    times.map_err(unread)
}

/// A batch's header and its records, as many as it announces, at consecutive offsets.
pub(super) fn records(batch: &Bytes) -> Result<(BatchHeader, Vec<Record>)> {
    let (header, unpacked) = unpacked(batch, LIMIT)?;
    // Before any is made: they take many times the memory of their octets.
    Skim::over(&unpacked, header.count)
        .try_for_each(|record| record.map(drop))
        .map_err(unread)?;
    let mut reader = Records::new(unpacked);
    let records = (0..header.count).map(|_| reader.next());
    let records: Option<Vec<_>> = records.collect();
    let records = records.ok_or_else(|| invalid("a record does not read"))?;
    Ok((header, records))
}

/// A batch's header, and its records decompressed, to at most `limit` octets.
fn unpacked(batch: &Bytes, limit: usize) -> Result<(BatchHeader, Bytes)> {
    let header = BatchHeader::read(batch).ok_or_else(|| invalid("the batch is cut short"))?;
    let compression = Compression::from_number(header.compression())
        .ok_or_else(|| invalid("the batch has a compression that is not known"))?;
    let unpacked = compression
        .decompress(&batch.slice(LENGTH..), limit)
        .map_err(|error| invalid("the batch does not decompress").with_source(error))?;
    let count = usize::try_from(header.count).unwrap_or(usize::MAX);
    if count > unpacked.len() {
        return Err(invalid("the batch has fewer records than it announces"));
    }
    Ok((header, unpacked))
}

fn unread(bad: BadBatch) -> Error {
    match bad {
        BadBatch::Invalid(message) | BadBatch::TooLarge(message) => invalid(&message),
        other => invalid(&format!("{other:?}")),
    }
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::Invalid, "decode record batch", message)
}
