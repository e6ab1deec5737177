//! Bounded reading and writing of Standpipe's own binary encodings, big-endian, lengths checked before use.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::error::{Error, ErrorKind, Result};

/// Reads fields from a buffer; every length is checked against what remains before memory is taken.
#[derive(Debug, Clone)]
pub struct Reader {
    bytes: Bytes,
    operation: &'static str,
}

impl Reader {
    /// Reads `bytes`; errors name `operation`.
    pub fn new(bytes: Bytes, operation: &'static str) -> Self {
        Self { bytes, operation }
    }

    /// An error of this reader's operation.
    pub fn invalid(&self, message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Invalid, self.operation, message)
    }

    /// What errors say that was being done.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// Octets not read yet.
    pub fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The next `n` octets, without a copy.
    pub fn take(&mut self, n: usize) -> Result<Bytes> {
        if n > self.bytes.len() {
            return Err(self.invalid(format!("{n} octets announced, {} left", self.bytes.len())));
        }
        Ok(self.bytes.split_to(n))
    }

    /// An octet.
    pub fn u8(&mut self) -> Result<u8> {
        Ok(self.take(1)?.get_u8())
    }

    /// 16 bits.
    pub fn u16(&mut self) -> Result<u16> {
        Ok(self.take(2)?.get_u16())
    }

    /// 32 bits.
    pub fn u32(&mut self) -> Result<u32> {
        Ok(self.take(4)?.get_u32())
    }

    /// 64 bits.
    pub fn u64(&mut self) -> Result<u64> {
        Ok(self.take(8)?.get_u64())
    }

    /// 64 bits, signed.
    pub fn i64(&mut self) -> Result<i64> {
        Ok(self.take(8)?.get_i64())
    }

    /// An unsigned LEB128 number of at most 64 bits.
    pub fn varint(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let octet = self.u8()?;
            let bits = u64::from(octet & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if octet & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.invalid("a number of more than 64 bits"))
    }

    /// A number of things of at least one octet each: never more than what remains.
    pub fn count(&mut self) -> Result<usize> {
        let announced = self.varint()?;
        match usize::try_from(announced) {
            Ok(count) if count <= self.remaining() => Ok(count),
            _ => Err(self.invalid(format!(
                "{announced} items announced, {} octets left",
                self.remaining()
            ))),
        }
    }

    /// Octets behind their length.
    pub fn bytes(&mut self) -> Result<Bytes> {
        let length = self.count()?;
        self.take(length)
    }
}

/// Writes what [`Reader`] reads.
pub trait Writer: BufMut {
    /// An unsigned LEB128 number.
    fn put_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.put_u8((value as u8 & 0x7f) | 0x80);
            value >>= 7;
        }
        self.put_u8(value as u8);
    }

    /// Octets behind their length.
    fn put_bytes_with_length(&mut self, bytes: &[u8]) {
        self.put_varint(bytes.len() as u64);
        self.put_slice(bytes);
    }
}

impl Writer for BytesMut {}
impl Writer for Vec<u8> {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn varint_round_trips(value: u64) {
            let mut out = BytesMut::new();
            out.put_varint(value);
            let mut reader = Reader::new(out.freeze(), "test");
            prop_assert_eq!(reader.varint().unwrap(), value);
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let mut reader = Reader::new(Bytes::from(bytes), "test");
            while !reader.is_empty() {
                if reader.bytes().is_err() {
                    break;
                }
            }
        }
    }

    #[test]
    fn a_length_beyond_the_end_takes_no_memory() {
        let mut out = BytesMut::new();
        out.put_varint(u64::MAX);
        assert!(Reader::new(out.freeze(), "test").bytes().is_err());
    }
}
