//! Consuming: requests, and events.

use std::time::Duration;

use bytes::{BufMut, BytesMut};
use standpipe_core::{
    Result,
    dispatcher::Receipt,
    driver::{Settlement, StartAt},
    id::{Millis, Offset, PartitionId},
    message::Text,
    session::{Bounds, CreditGrant, Open, OpenMode},
    wire::{Reader, Writer},
};

use super::{
    message::{put_receipt, take_receipt, take_u32},
    put_list, put_optional, put_text, take_list, take_optional, take_text,
};

pub(super) fn put_open(out: &mut BytesMut, open: &Open) {
    put_text(out, &open.topic);
    put_optional(out, open.group.as_deref(), put_text);
    out.put_u8(match open.mode {
        OpenMode::Lease => 1,
        OpenMode::Positional => 2,
        OpenMode::Keyed => 3,
    });
    put_start(out, open.from);
    put_credit(out, open.credit);
    put_duration(out, open.lease);
    out.put_u8(u8::from(open.drain));
}

pub(super) fn take_open(reader: &mut Reader) -> Result<Open> {
    Ok(Open {
        topic: take_text(reader)?,
        group: take_optional(reader, take_text)?,
        mode: match reader.u8()? {
            1 => OpenMode::Lease,
            2 => OpenMode::Positional,
            3 => OpenMode::Keyed,
            other => {
                let message = format!("mode {other}; 1 is lease, 2 positional, 3 keyed");
                return Err(reader.invalid(message));
            }
        },
        from: take_start(reader)?,
        credit: take_credit(reader)?,
        lease: take_duration(reader)?,
        drain: reader.u8()? != 0,
    })
}

pub(super) fn put_start(out: &mut BytesMut, start: StartAt) {
    match start {
        StartAt::Earliest => out.put_u8(1),
        StartAt::Latest => out.put_u8(2),
        StartAt::Offset(offset) => {
            out.put_u8(3);
            out.put_varint(offset.0);
        }
        StartAt::Time(at) => {
            out.put_u8(4);
            out.put_i64(at.0);
        }
    }
}

pub(super) fn take_start(reader: &mut Reader) -> Result<StartAt> {
    Ok(match reader.u8()? {
        1 => StartAt::Earliest,
        2 => StartAt::Latest,
        3 => StartAt::Offset(Offset(reader.varint()?)),
        4 => StartAt::Time(Millis(reader.i64()?)),
        other => {
            let message = format!("start {other}; 1 is earliest, 2 latest, 3 an offset, 4 a time");
            return Err(reader.invalid(message));
        }
    })
}

pub(super) fn put_credit(out: &mut BytesMut, credit: CreditGrant) {
    out.put_varint(credit.messages);
    put_optional(out, credit.bytes, |out, bytes| out.put_varint(bytes));
}

pub(super) fn take_credit(reader: &mut Reader) -> Result<CreditGrant> {
    Ok(CreditGrant {
        messages: reader.varint()?,
        bytes: take_optional(reader, Reader::varint)?,
    })
}

pub(super) fn put_settlements(out: &mut BytesMut, settlements: &[(Receipt, Settlement)]) {
    put_list(out, settlements, |out, (receipt, settlement)| {
        put_receipt(out, *receipt);
        match settlement {
            Settlement::Ack => out.put_u8(1),
            Settlement::Release { after } => {
                out.put_u8(2);
                put_duration(out, *after);
            }
            Settlement::Reject { reason } => {
                out.put_u8(3);
                out.put_bytes_with_length(reason.as_bytes());
            }
            Settlement::Extend { by } => {
                out.put_u8(4);
                put_duration(out, *by);
            }
        }
    });
}

pub(super) fn take_settlements(reader: &mut Reader) -> Result<Vec<(Receipt, Settlement)>> {
    take_list(reader, |reader| {
        let receipt = take_receipt(reader)?;
        let settlement = match reader.u8()? {
            1 => Settlement::Ack,
            2 => Settlement::Release {
                after: take_duration(reader)?,
            },
            3 => Settlement::reject(Text::from(reader.bytes()?)),
            4 => Settlement::Extend {
                by: take_duration(reader)?,
            },
            other => {
                let message =
                    format!("settlement {other}; 1 is ack, 2 release, 3 reject, 4 extend");
                return Err(reader.invalid(message));
            }
        };
        Ok((receipt, settlement))
    })
}

pub(super) fn put_offsets(out: &mut BytesMut, offsets: &[(PartitionId, Offset)]) {
    put_list(out, offsets, |out, (partition, offset)| {
        out.put_varint(partition.0.into());
        out.put_varint(offset.0);
    });
}

pub(super) fn take_offsets(reader: &mut Reader) -> Result<Vec<(PartitionId, Offset)>> {
    take_list(reader, |reader| {
        Ok((PartitionId(take_u32(reader)?), Offset(reader.varint()?)))
    })
}

pub(super) fn put_bounds(out: &mut BytesMut, bounds: &[Bounds]) {
    put_list(out, bounds, |out, bounds| {
        out.put_varint(bounds.partition.0.into());
        for offset in [bounds.start, bounds.end, bounds.position] {
            out.put_varint(offset.0);
        }
    });
}

pub(super) fn take_bounds(reader: &mut Reader) -> Result<Vec<Bounds>> {
    take_list(reader, |reader| {
        Ok(Bounds {
            partition: PartitionId(take_u32(reader)?),
            start: Offset(reader.varint()?),
            end: Offset(reader.varint()?),
            position: Offset(reader.varint()?),
        })
    })
}

/// Milliseconds; what is longer than 2^64 of them is cut to that.
fn put_duration(out: &mut BytesMut, duration: Duration) {
    out.put_varint(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
}

fn take_duration(reader: &mut Reader) -> Result<Duration> {
    reader.varint().map(Duration::from_millis)
}
