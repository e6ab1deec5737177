//! A walk over the records of a producer's batch before it is appended.

use std::io;

use bytes::Bytes;
use standpipe_core::entry::Draft;

use super::{
    BadBatch,
    compression::{Compression, LIMIT},
    header::{BatchHeader, LENGTH},
    skim::{Key, Skim},
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
    /// says; [`BadBatch::TooLarge`] where more comes out than any reader takes, or more records.
    pub(crate) fn of(draft: &Draft) -> Result<Self, BadBatch> {
        Self::within(draft, LIMIT)
    }

    /// The same where no more than `limit` octets come out.
    ///
    /// # Errors
    /// As [`Self::of`]'s.
    pub(crate) fn within(draft: &Draft, limit: usize) -> Result<Self, BadBatch> {
        let header =
            BatchHeader::read(&draft.body).ok_or_else(|| invalid("the batch is cut short"))?;
        let compression = Compression::from_number(header.compression())
            .ok_or(BadBatch::Compression(header.compression()))?;
        let records = compression
            .decompress(&draft.body.slice(LENGTH..), limit)
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
        let records = (0..).zip(Skim::over(&self.records, self.count));
        records.filter_map(|(delta, record)| (record.ok()?.key == Key::None).then_some(delta))
    }

    fn check(&self) -> Result<(), BadBatch> {
        let mut records = Skim::over(&self.records, self.count);
        records.try_for_each(|record| record.map(drop))?;
        match records.left() {
            0 => Ok(()),
            more => Err(invalid(&format!("{more} octets follow the last record"))),
        }
    }
}

fn invalid(message: &str) -> BadBatch {
    BadBatch::Invalid(message.into())
}
