//! Bounded reading and writing of AMQP 0-9-1's basic types (specification 4.2), big-endian.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use standpipe_core::{Error, ErrorKind, Result, message::Text};

/// The longest short string (specification 4.2.5.3), in octets.
const SHORT_MAX: usize = 255;

/// An `Invalid` error of the codec.
pub(crate) fn malformed(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "decode AMQP 0-9-1", message)
}

/// Reads basic types; every length is checked against what remains. Slices share the buffer.
#[derive(Debug, Clone)]
pub(crate) struct Octets {
    bytes: Bytes,
    /// The octet that bits are being taken from, and how many were.
    bits: Option<(u8, u8)>,
}

impl Octets {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self { bytes, bits: None }
    }

    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn need(&mut self, n: usize) -> Result<()> {
        self.bits = None;
        if n > self.bytes.len() {
            let left = self.bytes.len();
            return Err(malformed(format!("{n} octets announced, {left} left")));
        }
        Ok(())
    }

    pub(crate) fn take(&mut self, n: usize) -> Result<Bytes> {
        self.need(n)?;
        Ok(self.bytes.split_to(n))
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        self.need(1)?;
        Ok(self.bytes.get_u8())
    }

    pub(crate) fn u16(&mut self) -> Result<u16> {
        self.need(2)?;
        Ok(self.bytes.get_u16())
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        self.need(4)?;
        Ok(self.bytes.get_u32())
    }

    pub(crate) fn u64(&mut self) -> Result<u64> {
        self.need(8)?;
        Ok(self.bytes.get_u64())
    }

    /// The next of up to eight bits that share an octet; any other read starts a new octet.
    pub(crate) fn bit(&mut self) -> Result<bool> {
        let (octet, used) = match self.bits {
            Some((octet, used)) if used < 8 => (octet, used),
            _ => (self.u8()?, 0),
        };
        self.bits = Some((octet, used + 1));
        Ok(octet >> used & 1 == 1)
    }

    pub(crate) fn short_string(&mut self) -> Result<Text> {
        let length = self.u8()?;
        Ok(Text::from(self.take(usize::from(length))?))
    }

    pub(crate) fn long_string(&mut self) -> Result<Bytes> {
        let length = self.u32()?;
        self.take(length as usize)
    }
}

/// Packs bits as [`Octets::bit`] reads them.
#[derive(Debug, Default)]
pub(crate) struct Bits {
    octet: u8,
    used: u8,
}

impl Bits {
    pub(crate) fn push(&mut self, out: &mut BytesMut, bit: bool) {
        if self.used == 8 {
            self.flush(out);
        }
        self.octet |= u8::from(bit) << self.used;
        self.used += 1;
    }

    pub(crate) fn flush(&mut self, out: &mut BytesMut) {
        if self.used > 0 {
            out.put_u8(self.octet);
        }
        *self = Self::default();
    }
}

/// Appends a short string, cut at 255 octets and between two characters; callers that must not cut
/// check first.
pub(crate) fn put_short_string(out: &mut BytesMut, text: &[u8]) {
    let text = &text[..short_end(text)];
    out.put_u8(u8::try_from(text.len()).unwrap_or(u8::MAX));
    out.put_slice(text);
}

/// Where a short string ends: clients that are given half a character lose their connection.
fn short_end(text: &[u8]) -> usize {
    if text.len() <= SHORT_MAX {
        return text.len();
    }
    let begins_character = |at: &usize| text[*at] & 0xC0 != 0x80;
    // A character has at most four octets; what is no UTF-8 may be cut anywhere.
    let mut ends = (SHORT_MAX - 3..=SHORT_MAX).rev();
    ends.find(begins_character).unwrap_or(SHORT_MAX)
}

/// Appends a long string.
///
/// # Panics
/// When it exceeds 4 GiB, which no message within limits does.
pub(crate) fn put_long_string(out: &mut BytesMut, octets: &[u8]) {
    out.put_u32(u32::try_from(octets.len()).expect("a long string is below 4 GiB"));
    out.put_slice(octets);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(text: impl AsRef<[u8]>) -> Vec<u8> {
        let mut out = BytesMut::new();
        put_short_string(&mut out, text.as_ref());
        let length = usize::from(out.get_u8());
        assert_eq!(length, out.len());
        out.to_vec()
    }

    #[test]
    fn a_long_text_is_cut_between_two_characters() {
        assert_eq!(short("full"), b"full");
        assert_eq!(short("a".repeat(255)), "a".repeat(255).as_bytes());
        assert_eq!(short("a".repeat(256)), "a".repeat(255).as_bytes());
        assert_eq!(short("é".repeat(200)), "é".repeat(127).as_bytes());
        assert_eq!(short("𝄞".repeat(64)), "𝄞".repeat(63).as_bytes());
        let whole = format!("{}𝄞", "a".repeat(251));
        assert_eq!(short(format!("{whole}a")), whole.as_bytes());
    }

    #[test]
    fn octets_that_are_no_text_are_cut_at_the_limit() {
        assert_eq!(short([0x80u8; 300]), [0x80; 255]);
    }
}
