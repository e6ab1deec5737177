//! Core's limit on the messages, headers and values of one request, looked at before any of them
//! takes memory. Settlements and offsets are held to it too, and a publish to fewer messages.

use std::{any::TypeId, marker::PhantomData, sync::Arc};

use bytes::Buf;
use prost::{
    Message,
    encoding::{WireType, decode_key, decode_varint},
};
use standpipe_core::{Error, ErrorKind, Result, message::Parts};
use tonic::{
    Status,
    codec::{Codec, DecodeBuf, Decoder},
};
use tonic_prost::{ProstCodec, ProstEncoder};

use super::{OPERATION, to_status};
use crate::{
    intake::{self, Share},
    proto,
};

/// Levels that are looked into; what nests deeper is refused when it is decoded.
const DEPTH: usize = 128;
/// Messages of one publish request: decoded, each takes far more memory than its smallest encoding,
/// and so does its outcome.
pub(crate) const PUBLISH_MESSAGES: usize = 4096;

/// Protobuf, with a limit on the number of nested things before they are decoded.
#[derive(Debug, Clone)]
pub struct BoundedCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for BoundedCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for BoundedCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = BoundedDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::default().encoder()
    }

    fn decoder(&mut self) -> Self::Decoder {
        BoundedDecoder {
            share: intake::current(),
            decodes: PhantomData,
        }
    }
}

/// Decodes what stays below the limit.
#[derive(Debug, Clone)]
pub struct BoundedDecoder<U> {
    /// What the stream holds of the room for requests; a client has none.
    share: Option<Arc<Share>>,
    decodes: PhantomData<U>,
}

impl<U: Message + Default + 'static> Decoder for BoundedDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let octets = source.copy_to_bytes(source.remaining());
        let octets = match &self.share {
            Some(share) => share.whole(octets),
            None => octets,
        };
        if let Some(shape) = Shape::of::<U>() {
            let counted = shape.count(&octets, &mut Parts::default(), DEPTH);
            counted.map_err(|error| to_status(&error))?;
        }
        let decoded = U::decode(octets).map_err(|error| Status::internal(error.to_string()))?;
        Ok(Some(decoded))
    }
}

/// What holds others of which there can be many.
#[derive(Debug, Clone, Copy)]
enum Shape {
    PublishRequest,
    Publication,
    Message,
    Header,
    Value,
    ValueList,
    ValueTable,
    SubscribeRequest,
    Settle,
    CommitOffsets,
    Leaf,
}

impl Shape {
    /// The shape of what clients send; what servers send is trusted.
    fn of<U: 'static>() -> Option<Self> {
        let id = TypeId::of::<U>();
        if id == TypeId::of::<proto::PublishRequest>() {
            return Some(Self::PublishRequest);
        }
        (id == TypeId::of::<proto::SubscribeRequest>()).then_some(Self::SubscribeRequest)
    }

    /// What a field holds, by its number in the .proto.
    fn field(self, number: u32) -> Option<Self> {
        Some(match (self, number) {
            (Self::PublishRequest, 3) => Self::Publication,
            (Self::Publication, 2) => Self::Message,
            (Self::Message, 3) | (Self::ValueTable, 1) => Self::Header,
            (Self::Header, 2) | (Self::ValueList, 1) => Self::Value,
            (Self::Value, 17) => Self::ValueList,
            (Self::Value, 18) => Self::ValueTable,
            (Self::SubscribeRequest, 3) => Self::Settle,
            (Self::SubscribeRequest, 5) => Self::CommitOffsets,
            (Self::Settle | Self::CommitOffsets, 2) => Self::Leaf,
            _ => return None,
        })
    }

    /// Whether it is one of [`Parts`], which are counted as core counts them: a publication and
    /// its message are one, a value and its list are one.
    fn is_part(self) -> bool {
        !matches!(self, Self::Message | Self::ValueList | Self::ValueTable)
    }

    /// Counts what nests in it. What does not parse is left to the decoder, which stops at the same
    /// place.
    fn count(self, mut octets: &[u8], parts: &mut Parts, depth: usize) -> Result<()> {
        if depth == 0 {
            return Ok(());
        }
        let mut publications = 0;
        while !octets.is_empty() {
            let Ok((number, wire_type)) = decode_key(&mut octets) else {
                return Ok(());
            };
            let length = match wire_type {
                WireType::Varint => {
                    if decode_varint(&mut octets).is_err() {
                        return Ok(());
                    }
                    0
                }
                WireType::SixtyFourBit => 8,
                WireType::ThirtyTwoBit => 4,
                WireType::LengthDelimited => {
                    let length = decode_varint(&mut octets).unwrap_or(u64::MAX);
                    usize::try_from(length).unwrap_or(usize::MAX)
                }
                // Groups are not in our .proto; the decoder skips them without keeping anything.
                WireType::StartGroup | WireType::EndGroup => 0,
            };
            let Some((content, rest)) = octets.split_at_checked(length) else {
                return Ok(());
            };
            octets = rest;
            let nested = self.field(number);
            let nested = nested.filter(|_| wire_type == WireType::LengthDelimited);
            if let Some(nested) = nested {
                if nested.is_part() {
                    parts.take(OPERATION)?;
                }
                publications += usize::from(matches!(nested, Self::Publication));
                if publications > PUBLISH_MESSAGES {
                    return Err(too_many());
                }
                nested.count(content, parts, depth - 1)?;
            }
        }
        Ok(())
    }
}

fn too_many() -> Error {
    let message = format!(
        "more than {PUBLISH_MESSAGES} messages in one request; send the others in further ones"
    );
    Error::new(ErrorKind::TooLarge, OPERATION, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(request: &proto::PublishRequest) -> bool {
        let octets = request.encode_to_vec();
        let counted = Shape::PublishRequest.count(&octets, &mut Parts::default(), DEPTH);
        counted.is_ok()
    }

    fn request(message: proto::Message, count: usize) -> proto::PublishRequest {
        let publication = proto::Publication {
            sequence: 0,
            message: Some(message),
        };
        proto::PublishRequest {
            messages: vec![publication; count],
            ..Default::default()
        }
    }

    #[test]
    fn a_million_empty_messages_are_refused_before_they_are_decoded() {
        assert!(fits(&request(proto::Message::default(), PUBLISH_MESSAGES)));
        let more = request(proto::Message::default(), PUBLISH_MESSAGES + 1);
        assert!(!fits(&more));
        assert!(!fits(&request(proto::Message::default(), 1_000_000)));
    }

    #[test]
    fn a_million_empty_headers_and_values_are_refused() {
        let headers = vec![proto::Header::default(); 1_000_000];
        let message = proto::Message {
            headers,
            ..Default::default()
        };
        assert!(!fits(&request(message, 1)));
        let list = proto::ValueList {
            items: vec![proto::Value::default(); 1_000_000],
        };
        let value = proto::Value {
            kind: Some(proto::value::Kind::List(list)),
        };
        let message = proto::Message {
            headers: vec![proto::Header {
                value: Some(value),
                ..Default::default()
            }],
            ..Default::default()
        };
        assert!(!fits(&request(message, 1)));
    }

    #[test]
    fn a_payload_that_looks_like_a_request_is_not_looked_into() {
        let inner = request(proto::Message::default(), 1_000_000);
        let message = proto::Message {
            payload: Some(inner.encode_to_vec().into()),
            ..Default::default()
        };
        assert!(fits(&request(message, 1)));
    }
}
