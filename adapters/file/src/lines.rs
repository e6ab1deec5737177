//! Lines out of a stream of bytes, each with a limit, byte for byte.

use bytes::{Bytes, BytesMut};
use standpipe_core::{Error, ErrorKind, Result};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The longest line that is read; an envelope of a 16-MiB message is well below it.
pub(crate) const LINE_BYTES: usize = 64 << 20;

const READ_BYTES: usize = 256 << 10;

/// Splits what it reads at `\n`; a `\r` before it is the line's own.
pub(crate) struct Lines<R> {
    reader: R,
    buffer: BytesMut,
    /// How much of `buffer` is known to hold no line break.
    searched: usize,
    ended: bool,
    read: u64,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self {
            reader,
            buffer: BytesMut::new(),
            searched: 0,
            ended: false,
            read: 0,
        }
    }

    /// How many lines were given out: the number of the last one, from 1.
    pub(crate) fn number(&self) -> u64 {
        self.read
    }

    /// The next line without its break; `None` at the end. A last line needs no break.
    /// Cancel-safe: what was read stays in the buffer.
    ///
    /// # Errors
    /// `TooLarge` for a line above the limit, `Permanent` where the reader fails: it cannot
    /// go on from there.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            if let Some(line) = self.buffered()? {
                return Ok(Some(line));
            }
            if self.ended {
                return Ok(None);
            }
            self.buffer.reserve(READ_BYTES);
            let count = self.reader.read_buf(&mut self.buffer).await;
            let count = count.map_err(|error| {
                let message = "the source cannot be read";
                Error::new(ErrorKind::Permanent, "read line", message).with_source(error)
            })?;
            self.ended = count == 0;
        }
    }

    /// A line that needs no waiting.
    pub(crate) fn buffered(&mut self) -> Result<Option<Bytes>> {
        let fresh = &self.buffer[self.searched..];
        let found = fresh.iter().position(|byte| *byte == b'\n');
        let (end, skip) = match found {
            Some(at) => (self.searched + at, 1),
            None if self.ended && !self.buffer.is_empty() => (self.buffer.len(), 0),
            None => {
                self.searched = self.buffer.len();
                self.check(self.searched)?;
                return Ok(None);
            }
        };
        self.check(end)?;
        let line = self.buffer.split_to(end).freeze();
        drop(self.buffer.split_to(skip));
        self.searched = 0;
        self.read += 1;
        Ok(Some(line))
    }

    fn check(&self, length: usize) -> Result<()> {
        if length <= LINE_BYTES {
            return Ok(());
        }
        let message = format!(
            "line {} is longer than the limit of {LINE_BYTES} bytes",
            self.read + 1
        );
        Err(Error::new(ErrorKind::TooLarge, "read line", message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(input: &[u8]) -> Vec<Bytes> {
        let mut lines = Lines::new(input);
        let mut found = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            found.push(line);
        }
        found
    }

    #[tokio::test]
    async fn lines_keep_every_byte_but_the_break() {
        assert_eq!(
            all(b"a\r\n\n\xff\0b\nlast").await,
            [&b"a\r"[..], b"", b"\xff\0b", b"last"]
        );
        assert!(all(b"").await.is_empty());
        assert_eq!(all(b"a\n").await, [&b"a"[..]]);
    }

    #[tokio::test]
    async fn an_endless_line_is_refused_at_the_limit() {
        let mut lines = Lines::new(tokio::io::repeat(b'x'));
        assert_eq!(lines.next().await.unwrap_err().kind(), ErrorKind::TooLarge);
    }
}
