//! Messages as librdkafka has them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use rdkafka::{
    Message as _, Timestamp,
    message::{BorrowedMessage, Header, Headers, OwnedHeaders},
};
use standpipe_core::{
    Error, ErrorKind, Result,
    driver::{Incoming, Lane, ReceiptToken},
    id::{Millis, Offset, PartitionId},
    message::Message,
};

use crate::codec::records::{Record, message_of, record_of};

/// A message's parts for librdkafka.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) key: Option<Bytes>,
    pub(super) value: Option<Bytes>,
    pub(super) headers: Option<OwnedHeaders>,
    /// The producer's time; without one, librdkafka takes the present.
    pub(super) timestamp: Option<i64>,
}

/// # Errors
/// `Unsupported` for a header name that is not UTF-8 or holds a NUL, which librdkafka cannot carry.
pub(super) fn outgoing(message: &Message) -> Result<Outgoing> {
    let (record, time) = record_of(message);
    let has_time = message
        .props
        .timestamp
        .or(message.annotations.appended)
        .is_some();
    let mut headers = None;
    for (name, value) in &record.headers {
        let key = std::str::from_utf8(name)
            .ok()
            .filter(|name| !name.contains('\0'));
        let key = key.ok_or_else(|| unsupported("send"))?;
        let value = value.as_deref();
        let all = headers.take().unwrap_or_else(OwnedHeaders::new);
        headers = Some(all.insert(Header { key, value }));
    }
    Ok(Outgoing {
        key: record.key,
        value: record.value,
        headers,
        timestamp: has_time.then_some(time.0),
    })
}

/// A record as a delivery.
///
/// # Errors
/// `Unsupported` for a header name that is not UTF-8, which `rdkafka` cannot read.
pub(super) fn incoming(borrowed: &BorrowedMessage<'_>) -> Result<Incoming> {
    let octets = |part: Option<&[u8]>| part.map(Bytes::copy_from_slice);
    let record = Record {
        key: octets(borrowed.key()),
        value: octets(borrowed.payload()),
        headers: headers(borrowed)?,
        ..Record::default()
    };
    let (created, appended) = match borrowed.timestamp() {
        Timestamp::CreateTime(at) if at >= 0 => (Some(Millis(at)), None),
        Timestamp::LogAppendTime(at) => (None, Some(Millis(at))),
        Timestamp::CreateTime(_) | Timestamp::NotAvailable => (None, None),
    };
    let mut message = message_of(record, created);
    let offset = u64::try_from(borrowed.offset()).unwrap_or_default();
    let partition = u32::try_from(borrowed.partition()).unwrap_or_default();
    let annotations = &mut message.annotations;
    annotations.topic = Some(borrowed.topic().into());
    annotations.partition = Some(PartitionId(partition));
    annotations.offset = Some(Offset(offset));
    annotations.appended = appended;
    Ok(Incoming {
        message,
        receipt: ReceiptToken {
            lane: Lane(u64::from(partition)),
            number: offset,
        },
        attempts: 0,
    })
}

fn headers(borrowed: &BorrowedMessage<'_>) -> Result<Vec<(Bytes, Option<Bytes>)>> {
    let Some(headers) = borrowed.headers() else {
        return Ok(Vec::new());
    };
    let read = || {
        let one = |header: Header<'_, &[u8]>| {
            let name = Bytes::copy_from_slice(header.key.as_bytes());
            (name, header.value.map(Bytes::copy_from_slice))
        };
        headers.iter().map(one).collect::<Vec<_>>()
    };
    // It takes names for UTF-8, and panics where one is not.
    catch_unwind(AssertUnwindSafe(read)).map_err(|_| {
        let error = unsupported("receive");
        let (topic, partition) = (borrowed.topic(), borrowed.partition());
        let place = format!("{topic}/{partition} at offset {}", borrowed.offset());
        Error::new(
            error.kind(),
            "receive",
            format!("{place}: {}", error.message()),
        )
    })
}

fn unsupported(operation: &'static str) -> Error {
    let message = "a header's name is not UTF-8 or holds a NUL, which librdkafka cannot carry";
    Error::new(ErrorKind::Unsupported, operation, message)
}
