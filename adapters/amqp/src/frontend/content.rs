//! A message on its way in: `basic.publish`, then a content header, then bodies (section 4.2.6).

use bytes::{BufMut, Bytes, BytesMut};
use standpipe_core::message::Text;

use super::refusal::{Handled, Refusal};
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
    Header(Publishing),
    /// Bodies come next.
    Body {
        publishing: Publishing,
        properties: Box<Properties>,
        stored: BytesMut,
        missing: usize,
    },
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
            Self::Header(publishing) => header(publishing, frame, message_max),
            Self::Body {
                publishing,
                properties,
                mut stored,
                missing,
            } => {
                if frame.kind != FrameKind::Body || frame.payload.len() > missing {
                    return Err(Refusal::unexpected_frame(
                        "expected content body, got non content body frame instead",
                    ));
                }
                stored.put_slice(&frame.payload);
                let missing = missing - frame.payload.len();
                Ok(progress(publishing, properties, stored, missing))
            }
        }
    }
}

fn header(publishing: Publishing, frame: Frame, message_max: usize) -> Handled<Progress> {
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
    let stored = stored::begin(&raw, missing.min(EAGER));
    Ok(progress(publishing, Box::new(properties), stored, missing))
}

fn progress(
    publishing: Publishing,
    properties: Box<Properties>,
    stored: BytesMut,
    missing: usize,
) -> Progress {
    if missing > 0 {
        return Progress::More(Incoming::Body {
            publishing,
            properties,
            stored,
            missing,
        });
    }
    Progress::Whole(Content {
        publishing,
        properties,
        stored: stored.freeze(),
    })
}
