//! Bounded reading of requests.

use std::fmt;

use bytes::{Buf, Bytes};

/// Array elements of one request, all arrays together: what bounds the memory that a request
/// takes beyond its own octets.
const ITEMS: usize = 200_000;

/// Why octets are no request: what was expected, and what was there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads one message; every length is checked against what remains before memory is taken.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    bytes: Bytes,
    flexible: bool,
    items: usize,
}

impl Reader {
    /// Reads `bytes`; `flexible` says whether lengths are compact and structures end in tags (KIP-482).
    pub(crate) fn new(bytes: Bytes, flexible: bool) -> Self {
        let items = ITEMS;
        Self {
            bytes,
            flexible,
            items,
        }
    }

    /// Switches between the two encodings of lengths.
    pub(crate) fn set_flexible(&mut self, flexible: bool) {
        self.flexible = flexible;
    }

    /// Octets that are left.
    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// The next `n` octets, without a copy.
    pub(crate) fn take(&mut self, n: usize) -> Result<Bytes, Malformed> {
        if n > self.bytes.len() {
            let left = self.bytes.len();
            return Err(Malformed(format!("{n} octets announced, {left} left")));
        }
        Ok(self.bytes.split_to(n))
    }

    /// The next `N` octets as an array.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let mut octets = [0; N];
        octets.copy_from_slice(&self.take(N)?);
        Ok(octets)
    }

    /// An unsigned LEB128 number of at most 32 bits.
    pub(crate) fn uvarint(&mut self) -> Result<u32, Malformed> {
        let mut value = 0u32;
        for shift in (0..35).step_by(7) {
            let octet = self.take(1)?.get_u8();
            let bits = u32::from(octet & 0x7f);
            if shift == 28 && bits > 0xf {
                break;
            }
            value |= bits << shift;
            if octet & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed("a number of more than 32 bits".into()))
    }

    /// The length of octets that follow; `None` is null. `short` lengths have 16 bits where they
    /// are not compact.
    pub(crate) fn length(&mut self, short: bool) -> Result<Option<usize>, Malformed> {
        let length = if self.flexible {
            i64::from(self.uvarint()?) - 1
        } else if short {
            i64::from(i16::from_be_bytes(self.array()?))
        } else {
            i64::from(i32::from_be_bytes(self.array()?))
        };
        match usize::try_from(length) {
            Ok(length) if length <= self.remaining() => Ok(Some(length)),
            Err(_) if length == -1 => Ok(None),
            _ => {
                let left = self.remaining();
                Err(Malformed(format!("{length} announced, {left} octets left")))
            }
        }
    }

    /// The number of elements that follow, each of at least one octet; `None` is null.
    pub(crate) fn count(&mut self) -> Result<Option<usize>, Malformed> {
        let Some(count) = self.length(false)? else {
            return Ok(None);
        };
        self.items = self
            .items
            .checked_sub(count)
            .ok_or_else(|| Malformed(format!("more than {ITEMS} array elements in one request")))?;
        Ok(Some(count))
    }

    /// Skips the tagged fields at the end of a structure; nothing where it is not flexible.
    pub(crate) fn skip_tags(&mut self) -> Result<(), Malformed> {
        if !self.flexible {
            return Ok(());
        }
        for _ in 0..self.uvarint()? {
            self.uvarint()?;
            let size = self.uvarint()?;
            self.take(size as usize)?;
        }
        Ok(())
    }
}
