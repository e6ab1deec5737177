//! The envelope on disk, version 1. It is followed by the body.
//!
//! ```text
//! octets  field
//!  1      version (1)
//!  2      flags
//!  2      format
//!  2      length of the skippable fields
//!  4      length of the body
//!  8      base offset
//!  4      span
//!  4      visible
//!  4      leader epoch
//!  8+2+4  producer id, epoch, sequence; id -1 where there is none
//!  8+8    created, earliest and latest; i64::MIN where absent
//!  8      appended
//!  4      crc32c of the body
//!  n      skippable fields: tag (1), varint length, octets
//!  4      crc32c of all of the above
//! ```

use std::ops::Range;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{Draft, Entry, Fields, Flags, Format, ProducerStamp};
use crate::{
    checksum::crc32c,
    error::{Error, ErrorKind, Result},
    id::{Millis, Offset},
    wire::{Reader, Writer},
};

/// Octets of the envelope before its skippable fields.
pub const HEAD_FIXED: usize = 73;
/// The largest envelope: fixed part, 64 KiB of fields, checksum.
pub const HEAD_LIMIT: usize = HEAD_FIXED + u16::MAX as usize + 4;

const VERSION: u8 = 1;
const ABSENT: i64 = i64::MIN;
const OPERATION: &str = "read entry";

/// An envelope whose body lies elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct EntryHead {
    entry: Entry,
    body_length: u32,
    body_crc: u32,
}

impl EntryHead {
    /// Octets of the body.
    pub fn body_length(&self) -> usize {
        self.body_length as usize
    }

    /// The first offset behind the entry.
    pub fn end_offset(&self) -> Offset {
        self.entry.end_offset()
    }

    /// The entry without its body.
    pub fn without_body(&self) -> &Entry {
        &self.entry
    }

    /// Joins envelope and body.
    ///
    /// # Errors
    /// `Corrupt` where the body has another length or checksum.
    #[inline]
    pub fn join(mut self, body: Bytes) -> Result<Entry> {
        if body.len() != self.body_length() || crc32c(&body) != self.body_crc {
            let message = format!(
                "the body at offset {} fails its checksum",
                self.entry.base_offset
            );
            return Err(Error::new(ErrorKind::Corrupt, OPERATION, message));
        }
        self.entry.draft.body = body;
        Ok(self.entry)
    }

    /// Appends the envelope of `entry` to `out`; `flags` stand in place of the entry's own, and
    /// `body_crc` is [`crc32c`] of its body, for which no lock need be held.
    ///
    /// # Panics
    /// When the body exceeds 4 GiB; the message size limit is far below. When the skippable fields
    /// exceed 64 KiB, which those that [`Fields::check`] takes never do.
    pub fn encode(entry: &Entry, flags: Flags, body_crc: u32, out: &mut BytesMut) {
        let (start, draft) = (out.len(), &entry.draft);
        let fields = encode_fields(&draft.fields);
        let body_length = u32::try_from(draft.body.len()).expect("a body is below 4 GiB");
        let stamp = draft.producer.unwrap_or(ProducerStamp {
            id: -1,
            epoch: -1,
            sequence: -1,
        });
        let created = draft.created.unwrap_or((Millis(ABSENT), Millis(ABSENT)));
        let mut fixed = [0; HEAD_FIXED];
        let mut put = &mut fixed[..];
        put.put_u8(VERSION);
        put.put_u16(flags.0);
        put.put_u16(draft.format.0);
        put.put_u16(u16::try_from(fields.len()).expect("fields are below 64 KiB"));
        put.put_u32(body_length);
        put.put_u64(entry.base_offset.0);
        put.put_u32(draft.span);
        put.put_u32(draft.visible);
        put.put_u32(entry.leader_epoch);
        put.put_i64(stamp.id);
        put.put_i16(stamp.epoch);
        put.put_i32(stamp.sequence);
        put.put_i64(created.0.0);
        put.put_i64(created.1.0);
        put.put_i64(entry.appended.0);
        put.put_u32(body_crc);
        out.put_slice(&fixed);
        out.put_slice(&fields);
        let crc = crc32c(&out[start..]);
        out.put_u32(crc);
    }

    /// Reads the envelope at `at` in `bytes`; returns it and its length in octets.
    ///
    /// # Errors
    /// `Corrupt` where the bytes are short, of an unknown version, or fail their checksum.
    #[inline]
    pub fn decode(bytes: &Bytes, at: usize) -> Result<(Self, usize)> {
        let short = || corrupt("the envelope is cut short");
        let envelope = bytes.get(at..).ok_or_else(short)?;
        let fixed = envelope.first_chunk().ok_or_else(short)?;
        if fixed[0] != VERSION {
            return Err(corrupt(&format!("unknown envelope version {}", fixed[0])));
        }
        let end = HEAD_FIXED + fields_length(fixed);
        let crc = envelope.get(end..end + 4).ok_or_else(short)?;
        if crc32c(&envelope[..end]).to_be_bytes() != crc {
            return Err(corrupt("the envelope fails its checksum"));
        }
        let fields = fields_in(bytes, at + HEAD_FIXED..at + end)?;
        let head = Self {
            entry: from_fixed(fixed, fields, Bytes::new()),
            body_length: body_length(fixed),
            body_crc: body_crc(fixed),
        };
        Ok((head, end + 4))
    }
}

impl Entry {
    /// Reads the entry at `at` in `bytes`, with its body directly behind its envelope; returns it and its
    /// envelope's length in octets. `None` where it is not all there or fails a checksum:
    /// [`EntryHead::decode`] says why.
    ///
    /// The same as that and [`EntryHead::join`], without moving what is large from one to the next.
    // An entry is 200 octets: what gives one is part of what takes it, so that it is moved once.
    #[inline(always)]
    pub fn decode(bytes: &Bytes, at: usize) -> Option<(Self, usize)> {
        let octets = bytes.get(at..)?;
        let fixed = octets.first_chunk()?;
        let end = HEAD_FIXED + fields_length(fixed);
        let whole = end + 4 + body_length(fixed) as usize;
        let body = octets.get(end + 4..whole)?;
        let is_whole = fixed[0] == VERSION
            && crc32c(&octets[..end]).to_be_bytes() == octets[end..end + 4]
            && crc32c(body) == body_crc(fixed);
        if !is_whole {
            return None;
        }
        let fields = fields_in(bytes, at + HEAD_FIXED..at + end).ok()?;
        let body = bytes.slice(at + end + 4..at + whole);
        Some((from_fixed(fixed, fields, body), end + 4))
    }
}

type Fixed = [u8; HEAD_FIXED];

fn fields_length(fixed: &Fixed) -> usize {
    usize::from(u16::from_be_bytes([fixed[5], fixed[6]]))
}

fn body_length(fixed: &Fixed) -> u32 {
    (&fixed[7..]).get_u32()
}

fn body_crc(fixed: &Fixed) -> u32 {
    (&fixed[HEAD_FIXED - 4..]).get_u32()
}

#[inline(always)]
fn from_fixed(fixed: &Fixed, fields: Fields, body: Bytes) -> Entry {
    let mut fixed = &fixed[1..];
    let flags = Flags(fixed.get_u16());
    let format = Format(fixed.get_u16());
    fixed.advance(2 + 4);
    let base_offset = Offset(fixed.get_u64());
    let (span, visible) = (fixed.get_u32(), fixed.get_u32());
    let leader_epoch = fixed.get_u32();
    let producer = ProducerStamp {
        id: fixed.get_i64(),
        epoch: fixed.get_i16(),
        sequence: fixed.get_i32(),
    };
    let created = (Millis(fixed.get_i64()), Millis(fixed.get_i64()));
    let appended = Millis(fixed.get_i64());
    Entry {
        base_offset,
        appended,
        leader_epoch,
        draft: Draft {
            format,
            flags,
            span,
            visible,
            producer: (producer.id >= 0).then_some(producer),
            created: (created.0.0 != ABSENT).then_some(created),
            fields,
            body,
        },
    }
}

const PRIORITY: u8 = 1;
const EXPIRES_AT: u8 = 2;
const DELIVER_AT: u8 = 3;
const KEY_HASH: u8 = 4;
const OVERLAY: u8 = 5;

fn encode_fields(fields: &Fields) -> Vec<u8> {
    let mut out = Vec::new();
    let mut put = |tag: u8, octets: &[u8]| {
        out.put_u8(tag);
        out.put_bytes_with_length(octets);
    };
    if let Some(priority) = fields.priority {
        put(PRIORITY, &[priority]);
    }
    if let Some(at) = fields.expires_at {
        put(EXPIRES_AT, &at.0.to_be_bytes());
    }
    if let Some(at) = fields.deliver_at {
        put(DELIVER_AT, &at.0.to_be_bytes());
    }
    if let Some(hash) = fields.key_hash {
        put(KEY_HASH, &hash.to_be_bytes());
    }
    if let Some(overlay) = &fields.overlay {
        put(OVERLAY, overlay);
    }
    out
}

#[inline]
fn fields_in(bytes: &Bytes, range: Range<usize>) -> Result<Fields> {
    if range.is_empty() {
        return Ok(Fields::default());
    }
    let mut reader = Reader::new(bytes.slice(range), OPERATION);
    let mut fields = Fields::default();
    while !reader.is_empty() {
        let tag = reader.u8()?;
        let octets = reader.bytes()?;
        let mut field = Reader::new(octets.clone(), OPERATION);
        match tag {
            PRIORITY => fields.priority = Some(field.u8()?),
            EXPIRES_AT => fields.expires_at = Some(Millis(field.i64()?)),
            DELIVER_AT => fields.deliver_at = Some(Millis(field.i64()?)),
            KEY_HASH => fields.key_hash = Some(field.u32()?),
            OVERLAY => fields.overlay = Some(octets),
            _ => {} // written by a later version, skippable by contract
        }
    }
    Ok(fields)
}

fn corrupt(message: &str) -> Error {
    Error::new(ErrorKind::Corrupt, OPERATION, message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(offset: u64, span: u32, body: Vec<u8>, fields: Fields) -> Entry {
        let mut draft = Draft::batch(Format::KAFKA2, body.into(), span);
        draft.fields = fields;
        Entry {
            base_offset: Offset(offset),
            appended: Millis(7),
            leader_epoch: 3,
            draft,
        }
    }

    fn encode(entry: &Entry, out: &mut BytesMut) {
        EntryHead::encode(entry, entry.draft.flags, crc32c(entry.body()), out);
    }

    proptest! {
        #[test]
        fn an_entry_round_trips(
            offset in 0..u64::MAX / 2,
            span in 1u32..5000,
            body: Vec<u8>,
            priority: Option<u8>,
            expires: Option<i64>,
            overlay: Option<Vec<u8>>,
        ) {
            let fields = Fields {
                priority,
                expires_at: expires.map(Millis),
                overlay: overlay.map(Bytes::from),
                ..Fields::default()
            };
            let entry = entry(offset, span, body, fields);
            let mut out = BytesMut::new();
            encode(&entry, &mut out);
            let encoded = out.freeze();
            let (head, length) = EntryHead::decode(&encoded, 0).unwrap();
            prop_assert_eq!(length, encoded.len());
            prop_assert_eq!(head.join(entry.body().clone()).unwrap(), entry.clone());
            let mut whole = BytesMut::from(&b"before"[..]);
            whole.extend_from_slice(&encoded);
            whole.extend_from_slice(entry.body());
            let whole = whole.freeze();
            prop_assert_eq!(Entry::decode(&whole, 6), Some((entry, length)));
            prop_assert_eq!(Entry::decode(&whole.slice(..whole.len() - 1), 6), None);
        }

        #[test]
        fn a_flipped_bit_is_found(bit in 0usize..(HEAD_FIXED + 4 + 3) * 8) {
            let mut out = BytesMut::new();
            let entry = entry(1, 1, vec![1, 2, 3], Fields::default());
            encode(&entry, &mut out);
            out.extend_from_slice(entry.body());
            out[bit / 8] ^= 1 << (bit % 8);
            let flipped = out.freeze();
            let is_in_body = bit / 8 >= HEAD_FIXED + 4;
            prop_assert_eq!(EntryHead::decode(&flipped, 0).is_ok(), is_in_body);
            prop_assert_eq!(Entry::decode(&flipped, 0), None);
        }
    }

    #[test]
    fn a_damaged_body_is_found() {
        let entry = entry(1, 1, vec![1, 2, 3], Fields::default());
        let mut out = BytesMut::new();
        encode(&entry, &mut out);
        let (head, _) = EntryHead::decode(&out.freeze(), 0).unwrap();
        let joined = head.join(Bytes::from_static(&[1, 2, 4]));
        assert_eq!(joined.unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
