//! Batches whose topic says how they are compressed (Kafka's `compression.type`).

use std::io::{self, Write};

use bytes::{BufMut, BytesMut};
use standpipe_core::{checksum::crc32c, entry::Draft};

use super::{
    Survey,
    compression::Compression,
    header::{BEFORE_LENGTH, CRC_AT, CRC_FROM, LENGTH},
};

/// Where the length of what follows is.
const LENGTH_AT: usize = 8;
/// Where the last octet of the attributes is, which has the compression in its lowest bits.
const COMPRESSION_AT: usize = 22;
const COMPRESSION_MASK: u8 = 0x07;
/// Octets in one block of snappy as Java frames it, which its consumers read at once.
const SNAPPY_BLOCK: usize = 32 << 10;
/// The header of that framing: its magic, version 1, readable by version 1.
const SNAPPY_HEADER: &[u8] = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";

/// A compression, and how hard it tries where it has levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    /// None.
    None,
    /// gzip, at a level from 1 to 9, or -1 for its own.
    Gzip(i32),
    /// snappy.
    Snappy,
    /// lz4.
    Lz4,
    /// zstd, at a level.
    Zstd(i32),
}

impl Packing {
    fn compression(self) -> Compression {
        match self {
            Self::None => Compression::None,
            Self::Gzip(_) => Compression::Gzip,
            Self::Snappy => Compression::Snappy,
            Self::Lz4 => Compression::Lz4,
            Self::Zstd(_) => Compression::Zstd,
        }
    }

    fn pack(self, records: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::None => Ok(records.to_vec()),
            Self::Gzip(level) => {
                let level = u32::try_from(level)
                    .map_or_else(|_| flate2::Compression::default(), flate2::Compression::new);
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
                encoder.write_all(records)?;
                encoder.finish()
            }
            Self::Snappy => snappy(records),
            Self::Lz4 => {
                let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
                encoder.write_all(records)?;
                encoder.finish().map_err(io::Error::other)
            }
            Self::Zstd(level) => zstd::bulk::compress(records, level),
        }
    }
}

/// The batch compressed as `packing` says; as it is where it is so already. All else in it stays,
/// and so do its producer's numbers.
///
/// # Errors
/// Those of the compression.
pub(crate) fn repack(draft: Draft, survey: &Survey, packing: Packing) -> io::Result<Draft> {
    let compression = packing.compression();
    if survey.compression == compression {
        return Ok(draft);
    }
    let packed = packing.pack(&survey.records)?;
    let mut batch = BytesMut::with_capacity(LENGTH + packed.len());
    batch.put_slice(&draft.body[..LENGTH]);
    batch.put_slice(&packed);
    let length = u32::try_from(batch.len() - BEFORE_LENGTH).map_err(io::Error::other)?;
    batch[LENGTH_AT..BEFORE_LENGTH].copy_from_slice(&length.to_be_bytes());
    batch[COMPRESSION_AT] = batch[COMPRESSION_AT] & !COMPRESSION_MASK | compression.number();
    let crc = crc32c(&batch[CRC_FROM..]);
    batch[CRC_AT..CRC_FROM].copy_from_slice(&crc.to_be_bytes());
    Ok(Draft {
        body: batch.freeze(),
        ..draft
    })
}

fn snappy(records: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = SNAPPY_HEADER.to_vec();
    let mut encoder = snap::raw::Encoder::new();
    for block in records.chunks(SNAPPY_BLOCK) {
        let packed = encoder.compress_vec(block).map_err(io::Error::other)?;
        let length = u32::try_from(packed.len()).map_err(io::Error::other)?;
        out.put_u32(length);
        out.put_slice(&packed);
    }
    Ok(out)
}
