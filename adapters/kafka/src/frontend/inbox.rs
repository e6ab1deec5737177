//! What has come of a connection's requests.

use std::{io, time::Duration};

use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::{Instant, error::Elapsed, timeout},
};

use super::intake::Share;

/// Octets that the buffer grows by at once: what is announced is not believed before it came.
const READ_STEP: usize = 64 << 10;
/// A buffer that a larger request came into is given up with it.
const KEPT: usize = 1 << 20;

/// The requests of a connection, one behind the other.
#[derive(Debug)]
pub(super) struct Inbox<R> {
    from: R,
    buffer: BytesMut,
}

impl<R: AsyncRead + Unpin> Inbox<R> {
    /// The requests that come from there.
    pub(super) fn new(from: R) -> Self {
        let buffer = BytesMut::new();
        Self { from, buffer }
    }

    /// How many octets the next request says that it has.
    ///
    /// # Errors
    /// The connection's; `UnexpectedEof` where it ends.
    pub(super) async fn size(&mut self) -> io::Result<i32> {
        self.fill(4).await?;
        Ok(self.buffer.get_i32())
    }

    /// The next request, of `size` octets, for which `share` holds room as they come. They may take
    /// as long as `patience`; the wait for room does not count.
    ///
    /// # Errors
    /// As [`Inbox::size`], and `Elapsed` where they take longer.
    pub(super) async fn request(
        &mut self,
        size: usize,
        patience: Duration,
        share: &mut Share,
    ) -> Result<io::Result<Bytes>, Elapsed> {
        let mut left = patience;
        while self.buffer.len() < size {
            let step = size.min(self.buffer.len() + READ_STEP);
            share.grow_to(step).await;
            let begun = Instant::now();
            if let Err(error) = timeout(left, self.fill(step)).await? {
                return Ok(Err(error));
            }
            left = left.saturating_sub(begun.elapsed());
        }
        Ok(Ok(self.take(size)))
    }

    fn take(&mut self, size: usize) -> Bytes {
        let request = self.buffer.split_to(size).freeze();
        if size > KEPT {
            // What is left shares the memory, and would keep it as long as the connection is there.
            self.buffer = BytesMut::from(&self.buffer[..]);
        }
        request
    }

    /// Reads until the buffer holds `octets`.
    async fn fill(&mut self, octets: usize) -> io::Result<()> {
        while self.buffer.len() < octets {
            let missing = octets - self.buffer.len();
            self.buffer.reserve(missing.clamp(1, READ_STEP));
            if self.from.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }
}
