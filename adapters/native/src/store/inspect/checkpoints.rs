//! Whether a checkpoint's octets are as they were written.

use bytes::Buf;
use standpipe_core::checksum::crc32c;

use crate::store::{
    checkpoint::{FRAME_HEADER, HEADER, MAGIC, USED},
    repair::mend,
};

/// What a checkpoint's octets are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Look {
    /// It can be read. Each place holds a flipped bit: one that is mended, or one that nothing uses.
    Whole { mended: Vec<u64>, unused: Vec<u64> },
    /// Its writing was never finished.
    Unfinished,
    /// It cannot be read from the place on.
    Damaged(u64),
}

/// Looks at all octets of a checkpoint's file.
pub(super) fn look(octets: &[u8]) -> Look {
    let Some((header, frames)) = octets.split_at_checked(HEADER) else {
        return Look::Unfinished;
    };
    if octets.iter().all(|octet| *octet == 0) {
        return Look::Unfinished;
    }
    let (mut mended, mut unused) = (Vec::new(), Vec::new());
    let mut fields = header[..USED].to_vec();
    let mut crc = &header[HEADER - 4..];
    if !take(&mut fields, crc.get_u32(), 0, &mut mended) || !fields.starts_with(MAGIC) {
        return Look::Damaged(0);
    }
    let zeros = header[USED..HEADER - 4].iter().enumerate();
    unused.extend(
        zeros
            .filter(|(_, o)| **o != 0)
            .map(|(n, _)| (USED + n) as u64),
    );
    let mut count = &fields[USED - 8..];
    let mut at = HEADER;
    for _ in 0..count.get_u64() {
        let Some(mut frame) = frames.get(at - HEADER..at - HEADER + FRAME_HEADER) else {
            return Look::Unfinished;
        };
        let mut fields = frame[..8].to_vec();
        frame.advance(8);
        if !take(&mut fields, frame.get_u32(), at, &mut mended) {
            return Look::Damaged(at as u64);
        }
        let mut fields = &fields[..];
        let (length, crc) = (fields.get_u32() as usize, fields.get_u32());
        at += FRAME_HEADER;
        let Some(payload) = frames.get(at - HEADER..at - HEADER + length) else {
            return Look::Unfinished;
        };
        if !take(&mut payload.to_vec(), crc, at, &mut mended) {
            return Look::Damaged(at as u64);
        }
        at += length;
    }
    Look::Whole { mended, unused }
}

/// Whether a stretch is whole, perhaps after mending it; notes its place then.
fn take(octets: &mut [u8], crc: u32, at: usize, mended: &mut Vec<u64>) -> bool {
    if crc32c(octets) == crc {
        return true;
    }
    let whole = mend(octets, crc);
    if whole {
        mended.push(at as u64);
    }
    whole
}
