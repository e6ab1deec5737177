//! Checkpoints: all that the store knows but the entries themselves, so that recovery begins there
//! and the journal before it can go.
//!
//! ```text
//! header  64 octets: magic · 8 seq · 8 epoch · 4 incarnation · 4 first journal file · 8 next segment
//!         · 8 frames · 4 zero · 4 crc32c of the 48 before the zeros
//! frames  4 length · 4 crc32c of the payload · 4 crc32c of these eight · payload
//! ```
//! The payloads together are items behind one another: `1` key value, `2` cursor reset change, `3` log,
//! `4` what is lost of a log before it. One that is
//! large goes on in the next payload: each is short enough that a flipped bit is mended. A file
//! that ends early was not finished and does not count: the one before it is still there.

use std::{io, sync::Arc};

use bytes::{Buf, Bytes, BytesMut};
use standpipe_core::{
    error::Result,
    id::{CursorId, LogId, Millis, Offset, PartitionId, SubscriptionId, TopicId},
    ranges::Ranges,
    store::Epoch,
    wire::Reader,
};
use uuid::Uuid;

use super::{
    contents::Contents,
    log::{Log, LogFacts},
    repair::mend,
    vfs::{Disk, File, read_full_at, write_all_at},
};

pub(super) const MAGIC: &[u8; 8] = b"SPCHECK1";
pub(super) const HEADER: usize = 64;
pub(super) const USED: usize = 48;
pub(super) const FRAME_HEADER: usize = 12;
/// Octets of a payload from which on the next item begins another one.
pub(super) const FRAME: usize = 16 * 1024;
/// Octets that are written once more at a time.
const PIECE: usize = 1024 * 1024;

pub(super) const KEY: u8 = 1;
pub(super) const CURSOR: u8 = 2;
pub(super) const LOG: u8 = 3;
pub(super) const LOST: u8 = 4;

/// What a checkpoint says besides the contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) incarnation: u32,
    /// The first journal file that holds something the segments do not.
    pub(crate) first_file: u32,
    /// Segments below this number are whole, and their entries are nowhere else.
    pub(crate) next_segment: u64,
}

/// The name of a checkpoint's file. Numbers are never used again: a file that counts must not be
/// written over.
pub(crate) fn checkpoint_name(number: u64) -> String {
    format!("{number:012}.checkpoint")
}

/// The number in a checkpoint's name; `None` for any other name.
pub(crate) fn checkpoint_number(name: &str) -> Option<u64> {
    let number = name.strip_suffix(".checkpoint")?.parse().ok()?;
    (checkpoint_name(number) == name).then_some(number)
}

/// Writes a checkpoint and syncs it, name and all.
pub(crate) fn write(disk: &dyn Disk, number: u64, octets: &[u8]) -> io::Result<()> {
    let file = disk.create(&checkpoint_name(number), 0)?;
    write_all_at(&*file, &mut [io::IoSlice::new(octets)], 0)?;
    file.sync()?;
    disk.sync_names()
}

/// Writes what a checkpoint's file holds once more, and syncs it, name and all: where its sync failed,
/// the system may hold pages that it takes for written and that are not on the disk. Cut short, it
/// changes nothing.
pub(crate) fn renew(disk: &dyn Disk, number: u64) -> io::Result<()> {
    let file = disk.open(&checkpoint_name(number))?;
    let mut octets = vec![0; PIECE];
    let mut at = 0;
    loop {
        let read = read_full_at(&*file, &mut octets, at)?;
        if read == 0 {
            break;
        }
        write_all_at(&*file, &mut [io::IoSlice::new(&octets[..read])], at)?;
        at += read as u64;
    }
    file.sync()?;
    disk.sync_names()
}

/// Reads a checkpoint; `None` where it is unfinished or damaged.
pub(crate) fn read(file: &Arc<dyn File>) -> io::Result<Option<(Contents, Facts)>> {
    let length = usize::try_from(file.len()?).unwrap_or(usize::MAX);
    if length < HEADER {
        return Ok(None);
    }
    let mut octets = BytesMut::zeroed(length);
    let read = read_full_at(&**file, &mut octets, 0)?;
    octets.truncate(read);
    Ok(decode(octets))
}

fn decode(mut octets: BytesMut) -> Option<(Contents, Facts)> {
    let mut header = octets.split_to(HEADER.min(octets.len()));
    let crc = header.get(HEADER - 4..)?.get_u32();
    header.truncate(USED);
    let mut fields = mend(&mut header, crc)
        .then_some(&header[..])?
        .strip_prefix(&MAGIC[..])?;
    let mut contents = Contents {
        seq: fields.get_u64(),
        epoch: Epoch(fields.get_u64()),
        ..Contents::default()
    };
    let facts = Facts {
        incarnation: fields.get_u32(),
        first_file: fields.get_u32(),
        next_segment: fields.get_u64(),
    };
    // An item may go on in the next frame.
    let mut items = BytesMut::with_capacity(octets.len());
    for _ in 0..fields.get_u64() {
        items.extend_from_slice(&take_frame(&mut octets)?);
    }
    let mut reader = Reader::new(items.freeze(), "read checkpoint");
    while !reader.is_empty() {
        take_item(&mut reader, &mut contents).ok()?;
    }
    Some((contents, facts))
}

fn take_frame(octets: &mut BytesMut) -> Option<Bytes> {
    if octets.len() < FRAME_HEADER {
        return None;
    }
    let mut header = octets.split_to(FRAME_HEADER);
    let crc = header.split_off(8).get_u32();
    let mut fields = mend(&mut header, crc).then_some(&header[..])?;
    let (length, crc) = (fields.get_u32() as usize, fields.get_u32());
    if octets.len() < length {
        return None;
    }
    let mut payload = octets.split_to(length);
    mend(&mut payload, crc).then(|| payload.freeze())
}

fn take_item(reader: &mut Reader, contents: &mut Contents) -> Result<()> {
    match reader.u8()? {
        KEY => {
            let key = copy(reader)?;
            contents.keys.insert(key, copy(reader)?);
        }
        CURSOR => {
            let cursor = CursorId {
                subscription: SubscriptionId(uuid(reader)?),
                partition: PartitionId(reader.u32()?),
            };
            let reset = reader.u8()? != 0;
            let changes = contents.cursors.entry(cursor).or_default();
            changes.push(&reader.bytes()?, reset);
        }
        LOG => {
            let (log, facts) = take_log(reader)?;
            contents.logs.insert(log, Log::restore(facts));
        }
        LOST => {
            let log = take_id(reader)?;
            let lost = take_ranges(reader)?;
            if let Some(log) = contents.logs.get_mut(&log) {
                *log = Log::restore(LogFacts {
                    lost,
                    ..log.facts()
                });
            }
        }
        tag => return Err(reader.invalid(format!("unknown item {tag}"))),
    }
    Ok(())
}

fn take_log(reader: &mut Reader) -> Result<(LogId, LogFacts)> {
    let log = take_id(reader)?;
    let facts = LogFacts {
        born: reader.u64()?,
        start: Offset(reader.u64()?),
        end: Offset(reader.u64()?),
        journal_from: Offset(reader.u64()?),
        appended: Millis(reader.i64()?),
        forgotten: take_ranges(reader)?,
        lost: Ranges::default(),
    };
    Ok((log, facts))
}

fn take_id(reader: &mut Reader) -> Result<LogId> {
    Ok(LogId {
        topic: TopicId(uuid(reader)?),
        partition: PartitionId(reader.u32()?),
    })
}

fn take_ranges(reader: &mut Reader) -> Result<Ranges> {
    let mut ranges = Ranges::default();
    for _ in 0..reader.varint()? {
        let range = Offset(reader.varint()?)..Offset(reader.varint()?);
        ranges.insert(&range);
    }
    Ok(ranges)
}

/// A copy, since what is kept must not hold on to the whole frame.
fn copy(reader: &mut Reader) -> Result<Bytes> {
    Ok(Bytes::copy_from_slice(&reader.bytes()?))
}

fn uuid(reader: &mut Reader) -> Result<Uuid> {
    Uuid::from_slice(&reader.take(16)?).map_err(|_| reader.invalid("no id"))
}
