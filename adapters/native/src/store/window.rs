//! Sequential reading of a journal file, in large pieces.

use std::io;

use bytes::{Bytes, BytesMut};

use super::vfs::{File, read_full_at};

const WINDOW: usize = 1024 * 1024;

/// The part of a file that was read last.
pub(crate) struct Window<'a> {
    file: &'a dyn File,
    end: u64,
    start: u64,
    bytes: Bytes,
}

impl<'a> Window<'a> {
    /// Reads `file` up to `end`.
    pub(crate) fn new(file: &'a dyn File, end: u64) -> Self {
        Self {
            file,
            end,
            start: 0,
            bytes: Bytes::new(),
        }
    }

    /// Up to `length` octets at `at`; fewer at the end.
    pub(crate) fn take(&mut self, at: u64, length: usize) -> io::Result<Bytes> {
        let length = length.min(usize::try_from(self.end.saturating_sub(at)).unwrap_or(0));
        let held = self.start..self.start + self.bytes.len() as u64;
        if at < held.start || at + length as u64 > held.end {
            self.fill(at, length.max(WINDOW))?;
        }
        let from = (at - self.start) as usize;
        let to = (from + length).min(self.bytes.len());
        Ok(self.bytes.slice(from..to))
    }

    fn fill(&mut self, at: u64, length: usize) -> io::Result<()> {
        let length = length.min(usize::try_from(self.end.saturating_sub(at)).unwrap_or(0));
        self.bytes = Bytes::new();
        let mut buffer = BytesMut::zeroed(length);
        let read = read_full_at(self.file, &mut buffer, at)?;
        buffer.truncate(read);
        self.start = at;
        self.bytes = buffer.freeze();
        Ok(())
    }
}

/// The first octet that is not zero, at `from` or behind.
pub(crate) fn first_nonzero(window: &mut Window<'_>, mut from: u64) -> io::Result<Option<u64>> {
    static ZEROS: [u8; 4096] = [0; 4096];
    loop {
        let piece = window.take(from, ZEROS.len())?;
        if piece.is_empty() {
            return Ok(None);
        }
        if piece[..] != ZEROS[..piece.len()] {
            let inside = piece.iter().position(|octet| *octet != 0).unwrap_or(0);
            return Ok(Some(from + inside as u64));
        }
        from += piece.len() as u64;
    }
}
