//! Messages as they are stored, and beside them what the broker knows about each.

use bytes::{BufMut, BytesMut};
use standpipe_core::{
    Result,
    dispatcher::Receipt,
    id::{Millis, Offset, PartitionId},
    message::{Annotations, Message, Parts, Text},
    native::{put_message, take_message},
    session::{Delivered, RECEIPT_LEN, receipt_from_octets, receipt_to_octets},
    wire::{Reader, Writer},
};

use super::{put_optional, take_optional};

/// A message as octets: its length is written once its encoding is there.
pub(super) fn put_whole_message(out: &mut BytesMut, message: &Message) {
    let mut encoded = BytesMut::with_capacity(message.size() + 64);
    put_message(&mut encoded, message);
    out.put_bytes_with_length(&encoded);
}

pub(super) fn take_whole_message(reader: &mut Reader, parts: &mut Parts) -> Result<Message> {
    take_message(reader.bytes()?, parts)
}

pub(super) fn put_receipt(out: &mut BytesMut, receipt: Receipt) {
    out.put_slice(&receipt_to_octets(receipt));
}

pub(super) fn take_receipt(reader: &mut Reader) -> Result<Receipt> {
    receipt_from_octets(&reader.take(RECEIPT_LEN)?)
}

pub(super) fn put_delivered(out: &mut BytesMut, delivered: &Delivered) {
    put_optional(out, delivered.receipt, put_receipt);
    out.put_u8(u8::from(delivered.redelivered));
    put_annotations(out, &delivered.message.annotations);
    put_whole_message(out, &delivered.message);
}

pub(super) fn take_delivered(reader: &mut Reader) -> Result<Delivered> {
    let receipt = take_optional(reader, take_receipt)?;
    let redelivered = reader.u8()? != 0;
    let annotations = take_annotations(reader)?;
    // A broker frames what it likes together; each message has been within the limit before.
    let mut message = take_whole_message(reader, &mut Parts::default())?;
    message.annotations = annotations;
    Ok(Delivered {
        receipt,
        redelivered,
        message,
    })
}

fn put_annotations(out: &mut BytesMut, annotations: &Annotations) {
    let text = |out: &mut BytesMut, text: &Text| out.put_bytes_with_length(text.as_bytes());
    put_optional(out, annotations.exchange.as_ref(), text);
    put_optional(out, annotations.routing_key.as_ref(), text);
    put_optional(out, annotations.topic.as_ref(), text);
    let varint = |out: &mut BytesMut, number: u64| out.put_varint(number);
    put_optional(out, annotations.partition.map(|p| p.0.into()), varint);
    put_optional(out, annotations.offset.map(|offset| offset.0), varint);
    put_optional(out, annotations.attempts.map(u64::from), varint);
    put_optional(out, annotations.appended.map(|at| at.0), BytesMut::put_i64);
}

fn take_annotations(reader: &mut Reader) -> Result<Annotations> {
    let text = |reader: &mut Reader| reader.bytes().map(Text::from);
    Ok(Annotations {
        exchange: take_optional(reader, text)?,
        routing_key: take_optional(reader, text)?,
        topic: take_optional(reader, text)?,
        partition: take_optional(reader, take_u32)?.map(PartitionId),
        offset: take_optional(reader, Reader::varint)?.map(Offset),
        attempts: take_optional(reader, take_u32)?,
        appended: take_optional(reader, Reader::i64)?.map(Millis),
    })
}

pub(super) fn take_u32(reader: &mut Reader) -> Result<u32> {
    let number = reader.varint()?;
    u32::try_from(number).map_err(|_| reader.invalid(format!("{number} is above 2^32 - 1")))
}
