//! A message on its way in: `basic.publish`, then a content header, then bodies (section 4.2.6).

use bytes::{BufMut, Bytes, BytesMut};
use standpipe_core::message::Text;

use super::{
    refusal::{Handled, Refusal},
    unfinished::Share,
};
use crate::codec::{
    frame::{Frame, FrameKind},
    octets::Octets,
    properties::Properties,
    stored,
};

/// Octets of body for which room is made before they arrive.
const EAGER: usize = 64 << 10;

/// The arguments of `basic.publish` that outlive its frame.
#[derive(Debug, Clone)]
pub(super) struct Publishing {
    pub(super) exchange: Text,
    pub(super) routing_key: Text,
    pub(super) mandatory: bool,
}

/// A whole message.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) publishing: Publishing,
    pub(super) properties: Box<Properties>,
    /// The entry's body: properties and message body as received.
    pub(super) stored: Bytes,
}

/// Collects the frames of one message.
#[derive(Debug)]
pub(super) enum Incoming {
    /// The content header comes next.
    Header(Publishing, Share),
    /// Bodies come next.
    Body(Partial),
}

/// A message of which octets are missing.
#[derive(Debug)]
pub(super) struct Partial {
    publishing: Publishing,
    properties: Box<Properties>,
    stored: BytesMut,
    missing: usize,
    share: Share,
}

/// What a frame did to a message.
pub(super) enum Progress {
    More(Incoming),
    Whole(Content),
}

impl Incoming {
    /// Takes the next frame of the message.
    pub(super) fn frame(self, frame: Frame, message_max: usize) -> Handled<Progress> {
        match self {
            Self::Header(publishing, share) => header(publishing, share, frame, message_max),
            Self::Body(partial) => partial.frame(&frame),
        }
    }
}

impl Partial {
    fn frame(mut self, frame: &Frame) -> Handled<Progress> {
        let size = frame.payload.len();
        if frame.kind != FrameKind::Body {
            return Err(Refusal::unexpected_frame(
                "expected content body, got non content body frame instead",
            ));
        }
        if size > self.missing {
            return Err(Refusal::frame_error(
                "content body frame exceeds remaining content size",
            ));
        }
        self.share.grow(size)?;
        self.stored.put_slice(&frame.payload);
        self.missing -= size;
        Ok(self.progress())
    }

    fn progress(self) -> Progress {
        if self.missing > 0 {
            return Progress::More(Incoming::Body(self));
        }
        Progress::Whole(Content {
            publishing: self.publishing,
            properties: self.properties,
            stored: self.stored.freeze(),
        })
    }
}

fn header(
    publishing: Publishing,
    mut share: Share,
    frame: Frame,
    message_max: usize,
) -> Handled<Progress> {
    if frame.kind != FrameKind::Header {
        return Err(Refusal::unexpected_frame(
            "expected content header for class 60, got non content header frame instead",
        ));
    }
    let mut octets = Octets::new(frame.payload);
    let parsed = (|| {
        let (class, weight, size) = (octets.u16()?, octets.u16()?, octets.u64()?);
        Ok::<_, standpipe_core::Error>((
            class,
            weight,
            size,
            octets.clone().take(octets.remaining())?,
        ))
    })();
    let (class, weight, size, raw) = parsed
        .map_err(|_| Refusal::frame_error("cannot decode a content header that is cut short"))?;
    if class != 60 {
        return Err(Refusal::unexpected_frame(format!(
            "expected content header for class 60, got one for class {class} instead"
        )));
    }
    if weight != 0 {
        return Err(Refusal::unexpected_frame(format!(
            "expected content header of weight 0, got weight {weight} instead"
        )));
    }
    let properties = Properties::decode(raw.clone())
        .map_err(|e| Refusal::syntax_error(format!("cannot decode properties: {}", e.message())))?;
    let missing = usize::try_from(size).unwrap_or(usize::MAX);
    if missing > message_max {
        return Err(Refusal::precondition_failed(format!(
            "message size {size} is larger than configured max size {message_max}"
        )));
    }
    share.grow(raw.len())?;
    let partial = Partial {
        publishing,
        properties: Box::new(properties),
        stored: stored::begin(&raw, missing.min(EAGER)),
        missing,
        share,
    };
    Ok(partial.progress())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::frontend::{refusal::Closes, unfinished::Unfinished};

    const MAX: usize = 16 << 20;

    fn next(incoming: Incoming, kind: FrameKind, payload: Vec<u8>) -> Handled<Progress> {
        let frame = Frame {
            kind,
            channel: 1,
            payload: payload.into(),
        };
        incoming.frame(frame, MAX)
    }

    fn unfinished(progress: Progress) -> Incoming {
        match progress {
            Progress::More(incoming) => incoming,
            Progress::Whole(_) => panic!("octets are missing"),
        }
    }

    /// A message of the largest size, but for its last octet.
    fn nearly_whole(room: &Arc<Unfinished>) -> Handled<Incoming> {
        let publishing = Publishing {
            exchange: Text::default(),
            routing_key: "q".into(),
            mandatory: false,
        };
        let begun = Incoming::Header(publishing, room.share());
        let size = (MAX as u64).to_be_bytes();
        let header = [&[0, 60, 0, 0][..], &size, &[0, 0]].concat();
        let begun = next(begun, FrameKind::Header, header).map(unfinished)?;
        next(begun, FrameKind::Body, vec![0; MAX - 1]).map(unfinished)
    }

    #[test]
    fn a_body_longer_than_its_header_said_is_a_frame_error() {
        let room = Arc::new(Unfinished::new(MAX));
        let begun = nearly_whole(&room).expect("there is room");
        let refusal = next(begun, FrameKind::Body, vec![0; 2]).err();
        let refusal = refusal.expect("one octet is missing");
        assert_eq!((refusal.code, refusal.closes), (501, Closes::Connection));
        let begun = nearly_whole(&room).expect("there is room");
        let refusal = next(begun, FrameKind::Method, vec![0]).err();
        assert_eq!(refusal.expect("no body came").code, 505);
    }

    #[test]
    fn unfinished_messages_on_all_channels_together_have_a_limit() {
        let room = Arc::new(Unfinished::new(MAX));
        let three = || [(); 3].map(|()| nearly_whole(&room).expect("there is room"));
        let mut channels = Vec::from(three());
        let refusal = nearly_whole(&room).expect_err("there is no more room");
        assert_eq!((refusal.code, refusal.closes), (506, Closes::Connection));
        assert!(refusal.text.contains("the limit is 67108864"));
        let last = channels.pop().expect("one of three");
        let whole = next(last, FrameKind::Body, vec![0]).expect("there is room");
        assert!(matches!(whole, Progress::Whole(_)));
        channels.push(nearly_whole(&room).expect("what is whole takes no room"));
        drop(channels);
        // What is abandoned takes none either.
        drop(three());
    }
}
