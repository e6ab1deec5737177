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
    compression::{Compression, LIMIT},
    header::{BatchHeader, LENGTH, NO_TIMESTAMP},
    mapping::message_of,
    record::{Record, Records},
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
        let time = |record: &Record| {
            (header.base_timestamp != NO_TIMESTAMP || record.timestamp_delta != 0)
                .then(|| Millis(header.base_timestamp.saturating_add(record.timestamp_delta)))
        };
        let messages = records.into_iter().map(|record| {
            let timestamp = time(&record);
            message_of(record, timestamp)
        });
        Ok(messages.collect())
    }
}

/// A batch's header and its records, as many as it announces, at consecutive offsets.
pub(super) fn records(batch: &Bytes) -> Result<(BatchHeader, Vec<Record>)> {
    let header = BatchHeader::read(batch).ok_or_else(|| invalid("the batch is cut short"))?;
    let compression = Compression::from_number(header.compression())
        .ok_or_else(|| invalid("the batch has a compression that is not known"))?;
    let unpacked = compression
        .decompress(&batch.slice(LENGTH..), LIMIT)
        .map_err(|error| invalid("the batch does not decompress").with_source(error))?;
    let count = usize::try_from(header.count).unwrap_or(usize::MAX);
    if count > unpacked.len() {
        return Err(invalid("the batch has fewer records than it announces"));
    }
    let mut reader = Records::new(unpacked);
    let mut records = Vec::with_capacity(count.min(4096));
    for delta in 0..count {
        let record = reader
            .next()
            .filter(|record| usize::try_from(record.offset_delta) == Ok(delta));
        records.push(record.ok_or_else(|| invalid("a record does not read"))?);
    }
    Ok((header, records))
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::Invalid, "decode record batch", message)
}
