//! Frames in a byte stream.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use standpipe_core::{Error, ErrorKind};
use tokio_util::codec::{Decoder, Encoder};

/// Octets that a frame may have beyond the message limit: its own fields, and those of the message.
pub const FRAME_SLACK: usize = 1 << 20;

const LENGTH: usize = 4;

/// Splits a byte stream into frames. The announced length is checked before memory is taken, and
/// memory is taken as octets arrive.
#[derive(Debug, Clone, Copy)]
pub struct Framing {
    limit: usize,
}

impl Framing {
    /// Frames of up to `message_limit` octets and [`FRAME_SLACK`].
    pub fn new(message_limit: usize) -> Self {
        Self {
            limit: message_limit.saturating_add(FRAME_SLACK),
        }
    }

    /// Frames of up to `limit` octets, for what comes before a peer is known.
    pub fn bounded(limit: usize) -> Self {
        Self { limit }
    }
}

impl Decoder for Framing {
    type Item = Bytes;
    type Error = io::Error;

    fn decode(&mut self, source: &mut BytesMut) -> io::Result<Option<Bytes>> {
        let Some(mut head) = source.get(..LENGTH) else {
            return Ok(None);
        };
        let length = head.get_u32() as usize;
        if length == 0 || length > self.limit {
            let message = format!(
                "a frame of {length} octets is announced; 1 to {} are possible",
                self.limit
            );
            let error = Error::new(ErrorKind::TooLarge, "read native frame", message);
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        if source.len() < LENGTH + length {
            return Ok(None);
        }
        source.advance(LENGTH);
        Ok(Some(source.split_to(length).freeze()))
    }
}

/// Writes a frame that `put` fills, behind its length.
pub(super) fn put_frame(out: &mut BytesMut, tag: u8, put: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_u32(0);
    out.put_u8(tag);
    put(out);
    let length = u32::try_from(out.len() - start - LENGTH).expect("frames are cut below 2^32");
    out[start..start + LENGTH].copy_from_slice(&length.to_be_bytes());
}

impl Encoder<Bytes> for Framing {
    type Error = io::Error;

    /// Appends octets that are framed already.
    fn encode(&mut self, framed: Bytes, out: &mut BytesMut) -> io::Result<()> {
        out.extend_from_slice(&framed);
        Ok(())
    }
}
