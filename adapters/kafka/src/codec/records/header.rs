//! The header of a record batch (KIP-98).
//!
//! ```text
//! octet  field
//!   0    base offset           8
//!   8    length of what follows 4
//!  12    partition leader epoch 4
//!  16    magic, 2              1
//!  17    crc32c of what follows 4
//!  21    attributes            2
//!  23    last offset delta     4
//!  27    base timestamp        8
//!  35    max timestamp         8
//!  43    producer id           8
//!  51    producer epoch        2
//!  53    base sequence         4
//!  57    count                 4
//!  61    records
//! ```

use bytes::Buf;
use standpipe_core::id::Millis;

use super::compression::Compression;

/// Octets before the records.
pub(super) const LENGTH: usize = 61;
/// Octets before those that the length counts.
pub(super) const BEFORE_LENGTH: usize = 12;
/// Where the leader epoch is.
pub(super) const EPOCH_AT: usize = 12;
/// Where the checksum is.
pub(super) const CRC_AT: usize = 17;
/// What the checksum covers begins here.
pub(super) const CRC_FROM: usize = 21;

const COMPRESSION: i16 = 0x07;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;

/// No timestamp.
pub(super) const NO_TIMESTAMP: i64 = -1;

/// Whether a batch is compressed: what comes out of it takes work that its octets do not tell.
pub(crate) fn is_compressed(batch: &[u8]) -> bool {
    BatchHeader::read(batch).is_some_and(|header| header.compression() != 0)
}

/// Whether a batch is compressed with zstd, which came to Kafka later than the others (KIP-110).
pub(crate) fn is_zstd(batch: &[u8]) -> bool {
    BatchHeader::read(batch).is_some_and(|header| {
        let compression = Compression::from_number(header.compression());
        header.magic == 2 && compression == Some(Compression::Zstd)
    })
}

/// A batch's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BatchHeader {
    pub(super) length: i32,
    pub(super) magic: i8,
    pub(super) crc: u32,
    pub(super) attributes: i16,
    pub(super) last_offset_delta: i32,
    pub(super) base_timestamp: i64,
    pub(super) max_timestamp: i64,
    pub(super) producer_id: i64,
    pub(super) producer_epoch: i16,
    pub(super) base_sequence: i32,
    pub(super) count: i32,
}

impl BatchHeader {
    /// Reads a header; `None` where there is less than one.
    pub(super) fn read(batch: &[u8]) -> Option<Self> {
        let mut fields = batch.get(8..LENGTH)?;
        let length = fields.get_i32();
        fields.advance(4);
        Some(Self {
            length,
            magic: fields.get_i8(),
            crc: fields.get_u32(),
            attributes: fields.get_i16(),
            last_offset_delta: fields.get_i32(),
            base_timestamp: fields.get_i64(),
            max_timestamp: fields.get_i64(),
            producer_id: fields.get_i64(),
            producer_epoch: fields.get_i16(),
            base_sequence: fields.get_i32(),
            count: fields.get_i32(),
        })
    }

    /// The producer's clock at a record; `None` where it does not say.
    pub(super) fn time(&self, timestamp_delta: i64) -> Option<Millis> {
        (self.base_timestamp != NO_TIMESTAMP || timestamp_delta != 0)
            .then(|| Millis(self.base_timestamp.saturating_add(timestamp_delta)))
    }

    /// How the records are compressed, 0 to 7.
    pub(super) fn compression(&self) -> i16 {
        self.attributes & COMPRESSION
    }

    /// Whether it belongs to a transaction.
    pub(super) fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// Whether it is a control batch.
    pub(super) fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }
}
