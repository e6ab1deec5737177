//! What the server sends.

use bytes::{BufMut, Bytes, BytesMut};
use standpipe_core::{
    Error, Result,
    session::{AdminReply, Event, Outcome},
    wire::{Reader, Writer},
};

use super::{
    admin::{put_admin_reply, take_admin_reply},
    error::{put_error, put_result, take_error, take_result},
    frame_reader,
    framing::put_frame,
    message::{put_delivered, put_receipt, take_delivered, take_receipt},
    must_be_empty,
    publish::{put_outcomes, take_outcomes},
    put_list,
    subscribe::{put_bounds, take_bounds},
    take_list,
};

const WELCOME: u8 = 65;
const OUTCOMES: u8 = 66;
const OPENED: u8 = 67;
const MESSAGES: u8 = 68;
const SETTLED: u8 = 69;
const SOUGHT: u8 = 70;
const COMMITTED: u8 = 71;
const DRAINED: u8 = 72;
const ADMIN: u8 = 73;
const FAILED: u8 = 74;

/// A frame from the server. An *error* is its kind (an octet, 1 to 14 in the order of
/// [`ErrorKind`](standpipe_core::ErrorKind)) and text; a *result* is an octet 0 and what was done,
/// or 1 and an error.
#[derive(Debug, Clone)]
pub enum ServerFrame {
    /// Tag 65, the answer to the hello: the version spoken from now on (16 bits), the features
    /// that both know (64 bits), and the message limit in octets (64 bits).
    Welcome {
        /// The version.
        version: u16,
        /// The features.
        features: u64,
        /// Octets of one message: key, payload and headers.
        message_limit: u64,
    },
    /// Tag 66: a list of sequence (varint) and result of routed (varint) and an optional place
    /// (partition and offset, varints).
    Outcomes(Vec<Outcome>),
    /// Of the subscription. Tag 67, opened: a list of partition, start, end and position
    /// (varints). Tag 68, messages: a list of optional receipt (20 octets), redelivered (an
    /// octet), annotations (optional exchange, routing key and topic as octets, optional
    /// partition, offset and attempts as varints, optional milliseconds as 64 bits) and message.
    /// Tag 69, settled: sequence (varint) and a list of the receipts that failed, each with its
    /// error. Tag 70, sought, and tag 71, committed: sequence and result. Tag 72, drained.
    Event(Event),
    /// Tag 73: the request's number (varint) and the result: an octet 1 done; 2 a list of topics;
    /// 3 a topic; 4 a count (varint).
    Admin {
        /// The request's number.
        id: u64,
        /// What was done.
        reply: Result<AdminReply>,
    },
    /// Tag 74: an error that ends the connection.
    Failed(Error),
}

impl ServerFrame {
    /// Appends the frame with its length.
    pub fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::Welcome {
                version,
                features,
                message_limit,
            } => put_frame(out, WELCOME, |out| {
                out.put_u16(*version);
                out.put_u64(*features);
                out.put_u64(*message_limit);
            }),
            Self::Outcomes(outcomes) => put_frame(out, OUTCOMES, |out| put_outcomes(out, outcomes)),
            Self::Event(event) => put_event(out, event),
            Self::Admin { id, reply } => put_frame(out, ADMIN, |out| {
                out.put_varint(*id);
                put_result(out, reply, put_admin_reply);
            }),
            Self::Failed(error) => put_frame(out, FAILED, |out| put_error(out, error)),
        }
    }

    /// Reads a frame without its length.
    ///
    /// # Errors
    /// `Invalid` for an unknown tag, a cut field, or octets behind the last one.
    pub fn decode(frame: Bytes) -> Result<Self> {
        let mut reader = frame_reader(frame);
        let decoded = match reader.u8()? {
            WELCOME => Self::Welcome {
                version: reader.u16()?,
                features: reader.u64()?,
                message_limit: reader.u64()?,
            },
            OUTCOMES => Self::Outcomes(take_outcomes(&mut reader)?),
            tag @ OPENED..=DRAINED => Self::Event(take_event(tag, &mut reader)?),
            ADMIN => Self::Admin {
                id: reader.varint()?,
                reply: take_result(&mut reader, take_admin_reply)?,
            },
            FAILED => Self::Failed(take_error(&mut reader)?),
            tag => return Err(reader.invalid(format!("unknown frame tag {tag} from a server"))),
        };
        must_be_empty(&reader)?;
        Ok(decoded)
    }
}

fn put_event(out: &mut BytesMut, event: &Event) {
    let answer = |out: &mut BytesMut, tag: u8, sequence: u64, result: &Result<()>| {
        put_frame(out, tag, |out| {
            out.put_varint(sequence);
            put_result(out, result, |_, ()| {});
        });
    };
    match event {
        Event::Opened(bounds) => put_frame(out, OPENED, |out| put_bounds(out, bounds)),
        Event::Messages(messages) => {
            put_frame(out, MESSAGES, |out| put_list(out, messages, put_delivered));
        }
        Event::Settled { sequence, failures } => put_frame(out, SETTLED, |out| {
            out.put_varint(*sequence);
            put_list(out, failures, |out, (receipt, error)| {
                put_receipt(out, *receipt);
                put_error(out, error);
            });
        }),
        Event::Sought { sequence, result } => answer(out, SOUGHT, *sequence, result),
        Event::Committed { sequence, result } => answer(out, COMMITTED, *sequence, result),
        Event::Drained => put_frame(out, DRAINED, |_| {}),
    }
}

fn take_event(tag: u8, reader: &mut Reader) -> Result<Event> {
    Ok(match tag {
        OPENED => Event::Opened(take_bounds(reader)?),
        MESSAGES => Event::Messages(take_list(reader, take_delivered)?),
        SETTLED => Event::Settled {
            sequence: reader.varint()?,
            failures: take_list(reader, |reader| {
                Ok((take_receipt(reader)?, take_error(reader)?))
            })?,
        },
        SOUGHT => Event::Sought {
            sequence: reader.varint()?,
            result: take_result(reader, |_| Ok(()))?,
        },
        COMMITTED => Event::Committed {
            sequence: reader.varint()?,
            result: take_result(reader, |_| Ok(()))?,
        },
        _ => Event::Drained,
    })
}
