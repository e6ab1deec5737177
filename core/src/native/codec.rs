//! The `native` codec.

use bytes::BytesMut;

use super::{put_message, take_message};
use crate::{
    codec::Codec,
    entry::{Draft, Entry, Fields, Format},
    error::Result,
    id::Millis,
    message::{Message, Parts},
    partitioner::murmur2,
    wire::{Reader, Writer},
};

/// Reads and writes [`Format::NATIVE`].
#[derive(Debug, Clone, Copy, Default)]
pub struct NativeCodec;

impl NativeCodec {
    /// One message as an entry.
    pub fn encode(message: &Message) -> Draft {
        let mut draft = Self::encode_batch(std::slice::from_ref(message));
        draft.fields = Fields {
            priority: message.props.priority,
            expires_at: None,
            deliver_at: message.props.deliver_at,
            key_hash: message.key.as_deref().map(murmur2),
            overlay: None,
        };
        draft
    }

    /// Messages of one partition as one entry. Per-message fields are left to single entries.
    ///
    /// # Panics
    /// When there are 2^32 messages or more, or none.
    pub fn encode_batch(messages: &[Message]) -> Draft {
        assert!(!messages.is_empty(), "an entry holds at least one message");
        let mut out = BytesMut::new();
        out.put_varint(messages.len() as u64);
        for message in messages {
            let mut one = BytesMut::with_capacity(message.size() + 32);
            put_message(&mut one, message);
            out.put_bytes_with_length(&one);
        }
        let count = u32::try_from(messages.len()).expect("a batch is below 2^32 messages");
        let mut draft = Draft::batch(Format::NATIVE, out.freeze(), count);
        draft.created = created(messages);
        draft
    }
}

impl Codec for NativeCodec {
    fn format(&self) -> Format {
        Format::NATIVE
    }

    fn decode(&self, entry: &Entry) -> Result<Vec<Message>> {
        let mut reader = Reader::new(entry.body().clone(), "decode native entry");
        let count = reader.count()?;
        let mut parts = Parts::default();
        (0..count)
            .map(|_| take_message(reader.bytes()?, &mut parts))
            .collect()
    }
}

fn created(messages: &[Message]) -> Option<(Millis, Millis)> {
    let mut stamps = messages.iter().filter_map(|m| m.props.timestamp);
    let first = stamps.next()?;
    Some(stamps.fold((first, first), |(min, max), at| (min.min(at), max.max(at))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BufMut as _;

    use crate::{error::ErrorKind, id::Offset, message::Value};

    fn round_trip(messages: &[Message]) -> Vec<Message> {
        let entry = Entry {
            base_offset: Offset(0),
            appended: Millis(0),
            leader_epoch: 0,
            draft: NativeCodec::encode_batch(messages),
        };
        NativeCodec.decode(&entry).unwrap()
    }

    #[test]
    fn a_tombstone_an_empty_payload_and_duplicate_headers_stay_apart() {
        let messages = [
            Message::default().with_key("k"),
            Message::new("")
                .with_header("a", Value::Null)
                .with_header("a", ""),
            Message::new("x")
                .with_header("a", 5i64)
                .with_header("b", Value::List(vec![Value::Bool(true)])),
        ];
        assert_eq!(round_trip(&messages), messages);
    }

    fn entry(body: BytesMut) -> Entry {
        Entry {
            base_offset: Offset(0),
            appended: Millis(0),
            leader_epoch: 0,
            draft: Draft::batch(Format::NATIVE, body.freeze(), 1),
        }
    }

    fn refused_by_name(body: BytesMut) {
        let refused = NativeCodec.decode(&entry(body)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::TooLarge);
        assert!(refused.message().contains("262144"), "{refused}");
    }

    #[test]
    fn a_million_empty_messages_are_refused() {
        let mut body = BytesMut::new();
        body.put_varint(1_000_000);
        body.put_bytes(0, 1_000_000);
        refused_by_name(body);
    }

    #[test]
    fn a_million_headers_or_values_are_refused() {
        let many = Message {
            headers: std::iter::repeat_n(("".into(), Value::Null), 1_000_000).collect(),
            ..Message::default()
        };
        let list = Value::List(vec![Value::Null; 1_000_000]);
        let table = Value::Table(vec![("".into(), Value::Null); 1_000_000]);
        let nested = |value| Message::default().with_header("", value);
        for message in [many, nested(list), nested(table)] {
            let mut body = BytesMut::new();
            body.put_slice(&NativeCodec::encode(&message).body);
            refused_by_name(body);
        }
    }

    #[test]
    fn values_nested_too_deep_are_refused() {
        let deep = (0..100).fold(Value::Null, |inner, _| Value::List(vec![inner]));
        let draft = NativeCodec::encode(&Message::new("x").with_header("deep", deep));
        let entry = Entry {
            base_offset: Offset(0),
            appended: Millis(0),
            leader_epoch: 0,
            draft,
        };
        assert!(NativeCodec.decode(&entry).is_err());
    }
}
