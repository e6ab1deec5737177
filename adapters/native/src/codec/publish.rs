//! Publishing, and its outcomes.

use bytes::{BufMut, BytesMut};
use standpipe_core::{
    Result,
    id::{Offset, PartitionId},
    message::Parts,
    session::{Outcome, Publication, PublishRequest, Published},
    store::Durability,
    wire::{Reader, Writer},
};

use super::{
    error::{put_result, take_result},
    message::{put_whole_message, take_u32, take_whole_message},
    put_list, put_optional, put_text, take_list, take_optional, take_text,
};

/// Messages of one frame: decoded, each takes far more memory than its smallest encoding.
const PUBLISH_MESSAGES: usize = 4096;

pub(super) fn put_publish(out: &mut BytesMut, request: &PublishRequest) {
    put_optional(out, request.destination.as_ref(), |out, destination| {
        put_text(out, &destination.to_string());
    });
    put_optional(out, request.durability, |out, durability| {
        out.put_u8(match durability {
            Durability::Memory => 1,
            Durability::Os => 2,
            Durability::Disk => 3,
        });
    });
    put_list(out, &request.messages, |out, publication| {
        out.put_varint(publication.sequence);
        put_whole_message(out, &publication.message);
    });
}

pub(super) fn take_publish(reader: &mut Reader) -> Result<PublishRequest> {
    let destination = take_optional(reader, take_text)?;
    Ok(PublishRequest {
        destination: destination.map(|text| text.parse()).transpose()?,
        durability: take_optional(reader, take_durability)?,
        messages: take_messages(reader)?,
    })
}

fn take_messages(reader: &mut Reader) -> Result<Vec<Publication>> {
    let count = reader.clone().count()?;
    if count > PUBLISH_MESSAGES {
        let message = format!("{count} messages in one frame; the limit is {PUBLISH_MESSAGES}");
        return Err(reader.invalid(message));
    }
    let mut parts = Parts::default();
    take_list(reader, |reader| {
        Ok(Publication {
            sequence: reader.varint()?,
            message: take_whole_message(reader, &mut parts)?,
        })
    })
}

pub(super) fn put_outcomes(out: &mut BytesMut, outcomes: &[Outcome]) {
    put_list(out, outcomes, |out, outcome| {
        out.put_varint(outcome.sequence);
        put_result(out, &outcome.result, |out, published| {
            out.put_varint(published.routed.into());
            put_optional(out, published.placed, |out, (partition, offset)| {
                out.put_varint(partition.0.into());
                out.put_varint(offset.0);
            });
        });
    });
}

pub(super) fn take_outcomes(reader: &mut Reader) -> Result<Vec<Outcome>> {
    take_list(reader, |reader| {
        Ok(Outcome {
            sequence: reader.varint()?,
            result: take_result(reader, take_published)?,
        })
    })
}

fn take_published(reader: &mut Reader) -> Result<Published> {
    Ok(Published {
        routed: take_u32(reader)?,
        placed: take_optional(reader, |reader| {
            Ok((PartitionId(take_u32(reader)?), Offset(reader.varint()?)))
        })?,
    })
}

fn take_durability(reader: &mut Reader) -> Result<Durability> {
    Ok(match reader.u8()? {
        1 => Durability::Memory,
        2 => Durability::Os,
        3 => Durability::Disk,
        other => {
            let message = format!("durability {other}; 1 is memory, 2 os, 3 disk");
            return Err(reader.invalid(message));
        }
    })
}
