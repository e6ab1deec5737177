//! Variable-length numbers inside records: zigzag, as Protocol Buffers have them.

use bytes::{BufMut, BytesMut};

/// Reads a number from the front of `bytes`; `None` where it is cut short or too long.
pub(super) fn take(bytes: &mut &[u8]) -> Option<i64> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let (octet, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(octet & 0x7f);
        if shift == 63 && bits > 1 {
            return None;
        }
        value |= bits << shift;
        if octet & 0x80 == 0 {
            return Some((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    None
}

/// Appends a number.
pub(super) fn put(out: &mut BytesMut, number: i64) {
    let mut value = ((number << 1) ^ (number >> 63)) as u64;
    while value >= 0x80 {
        out.put_u8((value as u8 & 0x7f) | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}
