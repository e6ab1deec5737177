//! The reading half of a connection: octets in, whole frames out.

use std::io;

use bytes::BytesMut;
use futures::FutureExt;
use tokio::{io::AsyncReadExt, net::tcp::OwnedReadHalf};

use super::refusal::{Handled, Refusal};
use crate::codec::frame::{FRAME_OVERHEAD, Frame, FrameError, take_frame};

/// Octets read at once.
const READ: usize = 64 << 10;
/// How many octets are told apart from more of them, where they are counted and not read.
const COUNTED: usize = 64 << 10;

/// Reads frames.
#[derive(Debug)]
pub(super) struct Source {
    socket: OwnedReadHalf,
    buffer: BytesMut,
    /// The largest frame, its head and end included.
    pub(super) frame_max: usize,
}

impl Source {
    pub(super) fn new(socket: OwnedReadHalf, frame_max: usize) -> Self {
        Self {
            socket,
            buffer: BytesMut::new(),
            frame_max,
        }
    }

    /// Reads what has arrived; `false` at the end. Cancel-safe.
    pub(super) async fn fill(&mut self) -> io::Result<bool> {
        // A frame that is only partly there says how much more it needs; never more than frame_max.
        self.buffer.reserve(READ.min(self.frame_max.max(4096)));
        Ok(self.socket.read_buf(&mut self.buffer).await? > 0)
    }

    /// The next whole frame that was read.
    pub(super) fn next(&mut self) -> Handled<Option<Frame>> {
        take_frame(&mut self.buffer, self.frame_max).map_err(|error| self.refuse(&error))
    }

    /// The next frame, waiting for it; `None` at the end.
    pub(super) async fn frame(&mut self) -> io::Result<Handled<Option<Frame>>> {
        loop {
            match self.next() {
                Ok(None) => {}
                found => return Ok(found),
            }
            if !self.fill().await? {
                return Ok(Ok(None));
            }
        }
    }

    /// The first `n` octets, waiting for them; `None` at the end.
    pub(super) async fn octets(&mut self, n: usize) -> io::Result<Option<BytesMut>> {
        while self.buffer.len() < n {
            if !self.fill().await? {
                return Ok(None);
            }
        }
        Ok(Some(self.buffer.split_to(n)))
    }

    /// Octets that have come and were not read, as far as they are counted.
    pub(super) fn unread(&mut self) -> usize {
        let mut octets = vec![0u8; COUNTED];
        // An error is told by the next read.
        let peeked = self.socket.peek(&mut octets).now_or_never();
        peeked.and_then(Result::ok).unwrap_or_default()
    }

    /// Forgets what was read and is no frame.
    pub(super) fn discard(&mut self) {
        self.buffer.clear();
    }

    /// As RabbitMQ words it, without quoting the client's octets back.
    fn refuse(&self, error: &FrameError) -> Refusal {
        let kind = self.buffer.first().copied().unwrap_or_default();
        let cause = match error {
            FrameError::Type(_) => "unknown_frame".to_owned(),
            FrameError::TooLarge { size, .. } => {
                let limit = self.frame_max - FRAME_OVERHEAD;
                format!("{{frame_too_large,{size},{limit}}}")
            }
            FrameError::End(end) => format!("{{invalid_frame_end_marker,{end}}}"),
        };
        Refusal::frame_error(format!("type {kind}, all octets = <<>>: {cause}"))
    }
}
