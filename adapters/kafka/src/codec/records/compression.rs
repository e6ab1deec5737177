//! Decompression of batches, with a limit on what comes out.

use std::io::{self, Read};

use bytes::{Buf, Bytes};

/// Octets that one batch may decompress to; its records count more than their octets: see
/// [`Skim`](super::skim::Skim).
pub(super) const LIMIT: usize = 64 << 20;

/// The octets that begin snappy as Java's producers frame it (xerial's snappy-java).
const XERIAL: &[u8] = b"\x82SNAPPY\0";
const XERIAL_HEADER: usize = 16;
/// How many octets come out of one, usually at most: room that is taken at once.
const USUAL_RATIO: usize = 4;
/// zstd windows above 2^27 octets are refused: memory is taken before anything comes out.
const ZSTD_WINDOW_LOG: u32 = 27;

/// How the records of a batch are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Compression {
    /// The compression of that number in a batch's attributes.
    pub(super) fn from_number(number: i16) -> Option<Self> {
        Some(match number {
            0 => Self::None,
            1 => Self::Gzip,
            2 => Self::Snappy,
            3 => Self::Lz4,
            4 => Self::Zstd,
            _ => return None,
        })
    }

    /// Its number in a batch's attributes.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// Decompresses to at most `limit` octets.
    ///
    /// # Errors
    /// Where the octets are not what they should be; `FileTooLarge` where more than `limit` come out.
    pub(super) fn decompress(self, packed: &Bytes, limit: usize) -> io::Result<Bytes> {
        match self {
            Self::None => Ok(packed.clone()),
            Self::Gzip => read_up_to(
                flate2::read::MultiGzDecoder::new(&packed[..]),
                packed.len(),
                limit,
            ),
            Self::Snappy => snappy(packed, limit),
            Self::Lz4 => read_up_to(
                lz4_flex::frame::FrameDecoder::new(&packed[..]),
                packed.len(),
                limit,
            ),
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(&packed[..])?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                read_up_to(decoder, packed.len(), limit)
            }
        }
    }
}

fn read_up_to(reader: impl Read, packed: usize, limit: usize) -> io::Result<Bytes> {
    let mut out = Vec::with_capacity(packed.saturating_mul(USUAL_RATIO).min(limit));
    reader.take(limit as u64 + 1).read_to_end(&mut out)?;
    if out.len() > limit {
        return Err(too_large(limit));
    }
    Ok(out.into())
}

/// Snappy as one block, or as Java's blocks behind a header.
fn snappy(packed: &[u8], limit: usize) -> io::Result<Bytes> {
    let mut out = Vec::new();
    if !packed.starts_with(XERIAL) {
        unpack_block(packed, limit, &mut out)?;
        return Ok(out.into());
    }
    let mut rest = packed.get(XERIAL_HEADER..).ok_or_else(cut_short)?;
    while !rest.is_empty() {
        let length = rest.get(..4).ok_or_else(cut_short)?.get_u32() as usize;
        let block = rest[4..].get(..length).ok_or_else(cut_short)?;
        unpack_block(block, limit, &mut out)?;
        rest = &rest[4 + length..];
    }
    Ok(out.into())
}

fn unpack_block(block: &[u8], limit: usize, out: &mut Vec<u8>) -> io::Result<()> {
    let length = snap::raw::decompress_len(block).map_err(io::Error::other)?;
    if length > limit.saturating_sub(out.len()) {
        return Err(too_large(limit));
    }
    // Snappy copies at most 64 octets for three: a length beyond that is a lie.
    if length > block.len().saturating_mul(64) {
        return Err(cut_short());
    }
    let start = out.len();
    out.resize(start + length, 0);
    let written = snap::raw::Decoder::new()
        .decompress(block, &mut out[start..])
        .map_err(io::Error::other)?;
    out.truncate(start + written);
    Ok(())
}

fn too_large(limit: usize) -> io::Error {
    let message = format!("the batch decompresses to more than {limit} octets");
    io::Error::new(io::ErrorKind::FileTooLarge, message)
}

fn cut_short() -> io::Error {
    io::Error::other("the snappy block is cut short")
}
