//! One record, as it is found in a journal file.

use std::{io, ops::Range};

use bytes::Bytes;
use standpipe_core::{
    checksum::Crc32c,
    id::{LogId, Offset},
};

use super::{
    header::{RECORD_HEADER, RecordHeader},
    mended::mend_steps,
    position::{BLOCK, Position},
    step::{Step, take_step},
    window::{Window, first_nonzero},
};

/// What stands at a place where a record should.
#[derive(Debug)]
pub(crate) enum Found {
    /// A record; where `damaged` is not empty, the bodies of these entries are not as written.
    Record {
        header: RecordHeader,
        record: Bytes,
        steps: Vec<Step>,
        damaged: Vec<(LogId, Range<Offset>)>,
        /// Whether a flipped bit in it was mended: the file still has it.
        mended: bool,
    },
    /// Anything else, the end of what was written included.
    Nothing,
}

/// Reads what stands at `at`. The commit before it is `seq`.
fn scan(window: &mut Window<'_>, at: u64, salt: u32, seq: u64) -> io::Result<Found> {
    let octets = window.take(at, RECORD_HEADER)?;
    let intact = RecordHeader::decode(&octets, salt);
    let mended = intact.is_none();
    let header = intact.or_else(|| RecordHeader::mended(&octets, salt));
    let Some(header) = header.filter(|header| header.seq == seq + 1) else {
        return Ok(Found::Nothing);
    };
    let record = window.take(at, header.length as usize)?;
    if record.len() < header.length as usize {
        return Ok(Found::Nothing);
    }
    let (record, steps, mended) = match take_steps(&record, header.steps_crc) {
        Some(steps) => (record, steps, mended),
        None => match mend_steps(&record, header.steps_crc) {
            Some((record, steps)) => (record, steps, true),
            None => return Ok(Found::Nothing),
        },
    };
    Ok(Found::Record {
        damaged: damaged_bodies(&record, &steps),
        header,
        record,
        steps,
        mended,
    })
}

/// Reads the record that stands at `at`, or at the next block: see `Pending::take`. Returns where
/// it stands.
pub(crate) fn scan_from(
    window: &mut Window<'_>,
    at: u64,
    salt: u32,
    seq: u64,
) -> io::Result<(u64, Found)> {
    let here = scan(window, at, salt, seq)?;
    let block = at.next_multiple_of(u64::from(BLOCK));
    if block == at || matches!(here, Found::Record { .. }) {
        return Ok((at, here));
    }
    Ok(match scan(window, block, salt, seq)? {
        Found::Nothing => (at, here),
        found @ Found::Record { .. } => (block, found),
    })
}

/// All steps; `None` where they are not as written.
pub(super) fn take_steps(record: &Bytes, expected: u32) -> Option<Vec<Step>> {
    let (mut steps, mut crc) = (Vec::new(), Crc32c::default());
    let (mut at, mut summed) = (RECORD_HEADER, RECORD_HEADER);
    while at < record.len() {
        let (step, next) = take_step(record, at).ok()?;
        if let Step::Append(append) = &step
            && append.inline
        {
            crc.update(&record[summed..append.body_at]);
            summed = next;
        }
        steps.push(step);
        at = next;
    }
    crc.update(&record[summed..]);
    (crc.sum() == expected).then_some(steps)
}

fn damaged_bodies(record: &Bytes, steps: &[Step]) -> Vec<(LogId, Range<Offset>)> {
    let appends = steps.iter().filter_map(|step| match step {
        Step::Append(append) => Some(append),
        Step::Other(_) => None,
    });
    appends
        .filter(|append| {
            let body = append.body_at..append.body_at + append.head.body_length();
            append.head.clone().join(record.slice(body)).is_err()
        })
        .map(|append| (append.log, append.offsets()))
        .collect()
}

/// What lies behind a place where no record stands.
#[derive(Debug, Default)]
pub(crate) struct Behind {
    /// The highest position that a record there knows to be synced.
    pub(crate) synced: Position,
    /// Behind the last octet that is not zero; the place itself where all are.
    pub(crate) end: u64,
}

/// Octets that are searched at once for where a record begins.
const PIECE: usize = 4096;

/// The next piece, from `at` on, of what is not all zeros, and where it begins; behind its first
/// [`PIECE`] octets it has as many as complete a header.
fn next_piece(window: &mut Window<'_>, at: u64) -> io::Result<Option<(u64, Bytes)>> {
    let Some(nonzero) = first_nonzero(window, at)? else {
        return Ok(None);
    };
    // A salt may begin with zeros.
    let begin = nonzero.saturating_sub(3).max(at);
    let piece = window.take(begin, PIECE + RECORD_HEADER)?;
    Ok(Some((begin, piece)))
}

/// Looks for records anywhere behind `from`: good ones behind a bad one are normal in a torn
/// tail, since pages reach the disk in any order.
pub(crate) fn look_behind(window: &mut Window<'_>, from: u64, salt: u32) -> io::Result<Behind> {
    let mut behind = Behind {
        end: from,
        ..Behind::default()
    };
    let mut at = from;
    while let Some((begin, piece)) = next_piece(window, at)? {
        let starts = piece.len().min(PIECE);
        for start in 0..starts {
            if let Some(header) = RecordHeader::decode(&piece[start..], salt) {
                behind.synced = behind.synced.max(header.synced);
            }
        }
        let last = piece[..starts].iter().rposition(|octet| *octet != 0);
        behind.end = begin + last.map_or(0, |last| last as u64 + 1);
        at = begin + starts as u64;
    }
    Ok(behind)
}

/// The next place at `from` or behind where the header of a later commit than `seq` stands.
pub(crate) fn find_record(
    window: &mut Window<'_>,
    from: u64,
    salt: u32,
    seq: u64,
) -> io::Result<Option<(u64, RecordHeader)>> {
    let mut at = from;
    while let Some((begin, piece)) = next_piece(window, at)? {
        let starts = piece.len().min(PIECE);
        for start in 0..starts {
            let header = RecordHeader::decode(&piece[start..], salt);
            if let Some(header) = header.filter(|header| header.seq > seq) {
                return Ok(Some((begin + start as u64, header)));
            }
        }
        at = begin + starts as u64;
    }
    Ok(None)
}
