//! What a producer's batch must be to be appended.

use bytes::Bytes;
use standpipe_core::{
    checksum::crc32c,
    entry::{Draft, Format, ProducerStamp},
    id::Millis,
};

use super::{
    compression::Compression,
    header::{BEFORE_LENGTH, BatchHeader, CRC_FROM, LENGTH, NO_TIMESTAMP},
};

/// The smallest record: length, attributes, two deltas, key, value, header count.
const SMALLEST_RECORD: usize = 7;

/// Why a batch is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BadBatch {
    /// Its checksum is another: sending it again may help.
    Corrupt(String),
    /// Whole, but against the rules.
    Invalid(String),
    /// Messages of magic 0 or 1.
    OldFormat,
    /// A compression that is not known.
    Compression(i16),
    /// More comes out of it than any reader takes.
    TooLarge(String),
    /// Part of a transaction.
    Transactional,
}

/// The entry of a producer's batch: exactly one, not a control batch, and not of a transaction.
/// Its records are neither decompressed nor read: see [`super::Survey`].
///
/// # Errors
/// See [`BadBatch`].
pub(crate) fn check(records: &Bytes) -> Result<Draft, BadBatch> {
    if records.get(16).is_some_and(|magic| *magic < 2) {
        return Err(BadBatch::OldFormat);
    }
    let header = BatchHeader::read(records)
        .ok_or_else(|| BadBatch::Invalid(format!("{} octets are no batch", records.len())))?;
    let length = usize::try_from(header.length).unwrap_or(usize::MAX);
    match length.checked_add(BEFORE_LENGTH) {
        Some(end) if end == records.len() => {}
        Some(end) if end < records.len() && length >= LENGTH - BEFORE_LENGTH => {
            return Err(BadBatch::Invalid(
                "more than one batch for a partition".into(),
            ));
        }
        _ => {
            let (says, is) = (header.length, records.len());
            return Err(BadBatch::Invalid(format!(
                "the batch says {says} octets follow its length and has {is} in all"
            )));
        }
    }
    if header.magic != 2 {
        let magic = header.magic;
        return Err(BadBatch::Invalid(format!("magic {magic}; only 2 is known")));
    }
    if crc32c(&records[CRC_FROM..]) != header.crc {
        return Err(BadBatch::Corrupt("the batch fails its checksum".into()));
    }
    check_header(&header, records.len())?;
    Ok(draft(&header, records.clone()))
}

fn check_header(header: &BatchHeader, octets: usize) -> Result<(), BadBatch> {
    let invalid = |message: String| Err(BadBatch::Invalid(message));
    if header.is_control() {
        return invalid("control batches are the broker's".into());
    }
    if header.is_transactional() {
        return Err(BadBatch::Transactional);
    }
    let Some(compression) = Compression::from_number(header.compression()) else {
        return Err(BadBatch::Compression(header.compression()));
    };
    let (count, last) = (header.count, header.last_offset_delta);
    if count < 1 || i64::from(last) + 1 != i64::from(count) {
        return invalid(format!(
            "{count} records with a last offset delta of {last}"
        ));
    }
    let room = (octets - LENGTH) / SMALLEST_RECORD;
    if compression == Compression::None && count as usize > room {
        return invalid(format!("{count} records in {octets} octets"));
    }
    let is_stamped = header.producer_id >= 0;
    if is_stamped && (header.producer_epoch < 0 || header.base_sequence < 0) {
        return invalid("a producer id without epoch or sequence".into());
    }
    Ok(())
}

fn draft(header: &BatchHeader, body: Bytes) -> Draft {
    let mut draft = Draft::batch(Format::KAFKA2, body, header.count.unsigned_abs());
    draft.producer = (header.producer_id >= 0).then_some(ProducerStamp {
        id: header.producer_id,
        epoch: header.producer_epoch,
        sequence: header.base_sequence,
    });
    let (first, last) = (header.base_timestamp, header.max_timestamp);
    draft.created = (last != NO_TIMESTAMP).then_some((Millis(first.min(last)), Millis(last)));
    draft
}
