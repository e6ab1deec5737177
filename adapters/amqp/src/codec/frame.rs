//! Frames (specification 4.2.3): type, channel, size, payload, end octet.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Octets of a frame around its payload.
pub(crate) const FRAME_OVERHEAD: usize = 8;
/// The protocol header that a client opens with, and that we answer a wrong one with.
pub(crate) const PROTOCOL_HEADER: [u8; 8] = *b"AMQP\x00\x00\x09\x01";

const HEAD: usize = 7;
const END: u8 = 0xCE;

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameKind {
    Method,
    Header,
    Body,
    Heartbeat,
}

impl FrameKind {
    fn from_octet(octet: u8) -> Option<Self> {
        Some(match octet {
            1 => Self::Method,
            2 => Self::Header,
            3 => Self::Body,
            8 => Self::Heartbeat,
            _ => return None,
        })
    }

    fn octet(self) -> u8 {
        match self {
            Self::Method => 1,
            Self::Header => 2,
            Self::Body => 3,
            Self::Heartbeat => 8,
        }
    }
}

/// A frame as received; the payload shares the read buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: FrameKind,
    pub(crate) channel: u16,
    pub(crate) payload: Bytes,
}

/// Why octets are no frame. All of them end the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FrameError {
    /// An unknown type octet.
    Type(u8),
    /// The payload would exceed the negotiated frame size.
    TooLarge { size: usize, limit: usize },
    /// The end octet is another one.
    End(u8),
}

impl std::fmt::Display for FrameError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Type(octet) => write!(f, "unknown frame type {octet}"),
            Self::TooLarge { size, limit } => {
                write!(
                    f,
                    "type, channel and size announce {size} octets, at most {limit} fit"
                )
            }
            Self::End(octet) => write!(f, "frame ends with {octet:#04x} instead of 0xce"),
        }
    }
}

/// Takes the next whole frame off the front of `buffer`; `None` where more octets are needed.
///
/// Size and type are refused as soon as they are there, before their payload is waited for.
pub(crate) fn take_frame(
    buffer: &mut BytesMut,
    frame_max: usize,
) -> Result<Option<Frame>, FrameError> {
    let Some(&octet) = buffer.first() else {
        return Ok(None);
    };
    let kind = FrameKind::from_octet(octet).ok_or(FrameError::Type(octet))?;
    let Some(head) = buffer.get(..HEAD) else {
        return Ok(None);
    };
    let channel = u16::from_be_bytes([head[1], head[2]]);
    let size = u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize;
    // RabbitMQ takes as much, for clients that do not count what is around a payload.
    if size > frame_max {
        let limit = frame_max.saturating_sub(FRAME_OVERHEAD);
        return Err(FrameError::TooLarge { size, limit });
    }
    let Some(&end) = buffer.get(HEAD + size) else {
        return Ok(None);
    };
    if end != END {
        return Err(FrameError::End(end));
    }
    buffer.advance(HEAD);
    let payload = buffer.split_to(size).freeze();
    buffer.advance(1);
    Ok(Some(Frame {
        kind,
        channel,
        payload,
    }))
}

/// Appends a frame whose payload `write` appends.
pub(crate) fn put_frame(
    out: &mut BytesMut,
    kind: FrameKind,
    channel: u16,
    write: impl FnOnce(&mut BytesMut),
) {
    let at = put_frame_head(out, kind, channel, 0);
    write(out);
    let size = u32::try_from(out.len() - at).expect("a frame is below 4 GiB");
    out[at - 4..at].copy_from_slice(&size.to_be_bytes());
    put_frame_end(out);
}

/// Appends a frame's head for a payload of `size` octets; returns where the payload begins.
pub(crate) fn put_frame_head(
    out: &mut BytesMut,
    kind: FrameKind,
    channel: u16,
    size: usize,
) -> usize {
    out.put_u8(kind.octet());
    out.put_u16(channel);
    out.put_u32(u32::try_from(size).expect("a frame is below 4 GiB"));
    out.len()
}

/// Appends a frame's end.
pub(crate) fn put_frame_end(out: &mut BytesMut) {
    out.put_u8(END);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(payload: &[u8]) -> BytesMut {
        let mut out = BytesMut::new();
        put_frame(&mut out, FrameKind::Body, 7, |out| out.put_slice(payload));
        out
    }

    proptest! {
        #[test]
        fn a_frame_cut_anywhere_waits_for_more(payload: Vec<u8>, cut in 0usize..200) {
            let whole = frame(&payload);
            let mut part = BytesMut::from(&whole[..cut.min(whole.len() - 1)]);
            prop_assert_eq!(take_frame(&mut part, 4096), Ok(None));
        }

        #[test]
        fn frames_round_trip(payload: Vec<u8>) {
            let mut buffer = frame(&payload);
            buffer.put_slice(b"\x01rest");
            let taken = take_frame(&mut buffer, 4096).unwrap().unwrap();
            prop_assert_eq!(taken.payload, payload);
            prop_assert_eq!((taken.kind, taken.channel), (FrameKind::Body, 7));
            prop_assert_eq!(&buffer[..], b"\x01rest");
        }

        #[test]
        fn any_octets_are_framed_or_refused(bytes: Vec<u8>) {
            let mut buffer = BytesMut::from(&bytes[..]);
            while let Ok(Some(_)) = take_frame(&mut buffer, 4096) {}
        }
    }

    #[test]
    fn a_huge_size_is_refused_before_its_payload_comes() {
        let mut buffer = BytesMut::from(&b"\x01\x00\x00\x80\x00\x00\x00"[..]);
        let refused = take_frame(&mut buffer, 4096).unwrap_err();
        assert_eq!(
            refused,
            FrameError::TooLarge {
                size: 1 << 31,
                limit: 4088
            }
        );
    }

    #[test]
    fn a_payload_may_be_as_large_as_a_whole_frame() {
        let payload = vec![b'x'; 4097];
        let taken = take_frame(&mut frame(&payload[1..]), 4096)
            .unwrap()
            .unwrap();
        assert_eq!(taken.payload.len(), 4096);
        assert!(take_frame(&mut frame(&payload), 4096).is_err());
    }

    #[test]
    fn a_wrong_end_octet_is_refused() {
        let mut buffer = frame(b"x");
        let last = buffer.len() - 1;
        buffer[last] = 0;
        assert_eq!(take_frame(&mut buffer, 4096), Err(FrameError::End(0)));
    }
}
