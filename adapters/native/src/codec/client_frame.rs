//! What clients send.

use bytes::{BufMut, Bytes, BytesMut};
use standpipe_core::{
    Result,
    id::PartitionId,
    session::{AdminRequest, Open, PublishRequest, Request},
    wire::{Reader, Writer},
};

use super::{
    MAGIC,
    admin::{put_admin, take_admin},
    frame_reader,
    framing::put_frame,
    message::take_u32,
    must_be_empty,
    publish::{put_publish, take_publish},
    put_optional,
    subscribe::{
        put_credit, put_offsets, put_open, put_settlements, put_start, take_credit, take_offsets,
        take_open, take_settlements, take_start,
    },
    take_optional,
};

const HELLO: u8 = 1;
const PUBLISH: u8 = 2;
const OPEN: u8 = 3;
const CREDIT: u8 = 4;
const SETTLE: u8 = 5;
const SEEK: u8 = 6;
const COMMIT: u8 = 7;
const ADMIN: u8 = 8;

/// A frame from a client.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientFrame {
    /// Tag 1, the first of a connection: [`MAGIC`], the highest version that the client speaks
    /// (16 bits), and the features that it knows (64 bits, none defined yet).
    Hello {
        /// The version.
        version: u16,
        /// The features.
        features: u64,
    },
    /// Tag 2: optional destination (text), optional durability (an octet: 1 memory, 2 os, 3 disk),
    /// and a list of at most 4,096 times sequence (varint) and message, with at most 262,144
    /// messages, headers and values in them together.
    Publish(PublishRequest),
    /// Tag 3: opens the connection's subscription. Topic (text), optional group (text), mode (an
    /// octet: 1 lease, 2 positional, 3 keyed), start (an octet: 1 earliest, 2 latest, 3 an offset
    /// as varint, 4 milliseconds as 64 bits), credit (messages as varint, optional octets as
    /// varint), the lease in milliseconds (varint), and an octet 1 to be told when it is drained.
    Open(Open),
    /// On the open subscription. Tag 4, credit, as in 3. Tag 5, settle: sequence (varint) and a
    /// list of receipt (20 octets) and settlement (an octet: 1 ack; 2 release, with milliseconds
    /// as varint; 3 reject, with a reason as octets; 4 extend, with milliseconds as varint). Tag
    /// 6, seek: sequence, optional partition (varint), start as in 3. Tag 7, commit: sequence and
    /// a list of partition and offset (varints).
    Request(Request),
    /// Tag 8: a number (varint), and an octet: 1 list topics; 2 describe, 4 purge, 5 delete, with
    /// a name (text); 3 create, with name (text), optional partitions (varint), optional
    /// retention (text), optional durability (text).
    Admin {
        /// The client's number for it, given back in the reply.
        id: u64,
        /// What to do.
        request: AdminRequest,
    },
}

impl ClientFrame {
    /// Appends the frame with its length.
    pub fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::Hello { version, features } => put_frame(out, HELLO, |out| {
                out.put_slice(&MAGIC);
                out.put_u16(*version);
                out.put_u64(*features);
            }),
            Self::Publish(request) => put_frame(out, PUBLISH, |out| put_publish(out, request)),
            Self::Open(open) => put_frame(out, OPEN, |out| put_open(out, open)),
            Self::Request(request) => put_request(out, request),
            Self::Admin { id, request } => put_frame(out, ADMIN, |out| {
                out.put_varint(*id);
                put_admin(out, request);
            }),
        }
    }

    /// Reads a frame without its length.
    ///
    /// # Errors
    /// `Invalid` for an unknown tag, a cut field, or octets behind the last one; `TooLarge` for
    /// more items in a list, or messages, headers and values together, than the limit.
    pub fn decode(frame: Bytes) -> Result<Self> {
        let mut reader = frame_reader(frame);
        let decoded = match reader.u8()? {
            HELLO => take_hello(&mut reader)?,
            PUBLISH => Self::Publish(take_publish(&mut reader)?),
            OPEN => Self::Open(take_open(&mut reader)?),
            tag @ CREDIT..=COMMIT => Self::Request(take_request(tag, &mut reader)?),
            ADMIN => Self::Admin {
                id: reader.varint()?,
                request: take_admin(&mut reader)?,
            },
            tag => return Err(reader.invalid(format!("unknown frame tag {tag} from a client"))),
        };
        must_be_empty(&reader)?;
        Ok(decoded)
    }
}

fn take_hello(reader: &mut Reader) -> Result<ClientFrame> {
    let magic = reader.take(MAGIC.len())?;
    if magic[..] != MAGIC {
        return Err(reader.invalid("this is not the native protocol; a hello begins with STPP"));
    }
    Ok(ClientFrame::Hello {
        version: reader.u16()?,
        features: reader.u64()?,
    })
}

fn put_request(out: &mut BytesMut, request: &Request) {
    match request {
        Request::Credit(credit) => put_frame(out, CREDIT, |out| put_credit(out, *credit)),
        Request::Settle {
            sequence,
            settlements,
        } => put_frame(out, SETTLE, |out| {
            out.put_varint(*sequence);
            put_settlements(out, settlements);
        }),
        Request::Seek {
            sequence,
            partition,
            to,
        } => put_frame(out, SEEK, |out| {
            out.put_varint(*sequence);
            put_optional(out, *partition, |out, at| out.put_varint(at.0.into()));
            put_start(out, *to);
        }),
        Request::Commit { sequence, offsets } => put_frame(out, COMMIT, |out| {
            out.put_varint(*sequence);
            put_offsets(out, offsets);
        }),
    }
}

fn take_request(tag: u8, reader: &mut Reader) -> Result<Request> {
    if tag == CREDIT {
        return take_credit(reader).map(Request::Credit);
    }
    let sequence = reader.varint()?;
    Ok(match tag {
        SETTLE => Request::Settle {
            sequence,
            settlements: take_settlements(reader)?,
        },
        SEEK => Request::Seek {
            sequence,
            partition: take_optional(reader, take_u32)?.map(PartitionId),
            to: take_start(reader)?,
        },
        _ => Request::Commit {
            sequence,
            offsets: take_offsets(reader)?,
        },
    })
}
