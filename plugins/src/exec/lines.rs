//! Lines out of a stream, bounded.

use bytes::{Buf, Bytes, BytesMut};

/// Octets that one read may bring.
const READ_BYTES: usize = 64 * 1024;

/// Collects octets and gives out lines.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) buffer: BytesMut,
    searched: usize,
    limit: usize,
}

impl Lines {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            searched: 0,
            limit,
        }
    }

    /// Makes room for the next read.
    pub(super) fn make_room(&mut self) {
        self.buffer.reserve(READ_BYTES);
    }

    /// The next whole line without its line break; the problem where it is too long.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, String> {
        let found = self.buffer[self.searched..]
            .iter()
            .position(|octet| *octet == b'\n');
        let length = found.map_or(self.buffer.len(), |at| self.searched + at);
        if length > self.limit {
            return Err(format!("it wrote a line of more than {} bytes", self.limit));
        }
        self.searched = length;
        if found.is_none() {
            return Ok(None);
        }
        let line = self.buffer.split_to(length).freeze();
        self.buffer.advance(1);
        self.searched = 0;
        Ok(Some(line))
    }

    /// What is left behind the last line break.
    pub(super) fn rest(&mut self) -> Option<Bytes> {
        self.searched = 0;
        let rest = self.buffer.split().freeze();
        (!rest.is_empty()).then_some(rest)
    }
}
