//! What a segment says about itself: header, table of runs, footer.

use std::io;

use bytes::{Buf, BufMut, Bytes};
use standpipe_core::{checksum::crc32c, id::LogId, wire::Reader};

use super::{END_MAGIC, FOOTER, HEADER, MAGIC, Run};
use crate::store::{
    repair::{mend, mend_up_to},
    vfs::{File, read_full_at},
};

/// Octets of a table that is mended at most: one of 38,000 logs.
const LONGEST: usize = 4 * 1024 * 1024;

pub(super) fn header(number: u64) -> [u8; HEADER] {
    let mut out = [0; HEADER];
    out[..8].copy_from_slice(MAGIC);
    out[8..16].copy_from_slice(&number.to_be_bytes());
    let crc = crc32c(&out[..16]);
    out[HEADER - 4..].copy_from_slice(&crc.to_be_bytes());
    out
}

pub(super) fn table(runs: &[(LogId, Run)]) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_u32(u32::try_from(runs.len()).expect("a segment has fewer than 2^32 runs"));
    runs.iter().for_each(|(log, run)| run.put(*log, &mut out));
    runs.iter().for_each(|(_, run)| out.put_u64(run.offsets));
    let crc = crc32c(&out);
    out.put_u32(crc);
    out
}

pub(super) fn footer(number: u64, table_at: u64, table_length: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(FOOTER);
    out.put_slice(END_MAGIC);
    out.put_u64(table_at);
    out.put_u32(u32::try_from(table_length).expect("a table is below 4 GiB"));
    out.put_u64(number);
    let crc = crc32c(&out);
    out.put_u32(crc);
    out
}

/// Whether a file begins as the segment of that number does. Nothing depends on it: the footer says more.
pub(crate) fn starts_as_segment(file: &dyn File, number: u64) -> io::Result<bool> {
    let mut start = [0; HEADER];
    let read = read_full_at(file, &mut start, 0)?;
    Ok(read == HEADER && start == header(number))
}

/// The runs of a segment, and whether that took mending; `None` where it cannot be told.
pub(crate) fn read_table(file: &dyn File, number: u64) -> io::Result<Option<Vec<(LogId, Run)>>> {
    let length = file.len()?;
    let Some(footer_at) = length.checked_sub(FOOTER as u64) else {
        return Ok(None);
    };
    let mut footer = [0; FOOTER];
    read_full_at(file, &mut footer, footer_at)?;
    let Some((table_at, table_length)) = take_footer(footer, number) else {
        return Ok(None);
    };
    if table_at.checked_add(table_length as u64) != Some(footer_at) || table_length < 8 {
        return Ok(None);
    }
    let mut octets = vec![0; table_length];
    read_full_at(file, &mut octets, table_at)?;
    let crc = octets.split_off(table_length - 4);
    let expected = (&crc[..]).get_u32();
    let is_whole = crc32c(&octets) == expected;
    if !mend_up_to(LONGEST, &mut octets, expected) {
        return Ok(None);
    }
    let runs = take_runs(octets, number);
    Ok(runs.filter(|runs| is_whole || make_sense(runs, table_at)))
}

fn take_runs(octets: Vec<u8>, number: u64) -> Option<Vec<(LogId, Run)>> {
    let mut reader = Reader::new(Bytes::from(octets), "read segment");
    let count = reader.u32().unwrap_or(0);
    let runs = (0..count).map(|_| Run::take(number, &mut reader).ok());
    let mut runs = runs.collect::<Option<Vec<_>>>()?;
    // The first segments did not say how many offsets there are in each run.
    for (_, run) in &mut runs {
        let all = run.end.0.saturating_sub(run.base.0);
        run.offsets = reader.u64().unwrap_or(all);
    }
    Some(runs)
}

/// Whether runs lie one behind the other, before the table at `table_at`, and each says of itself what
/// can be: a table that was mended is only taken then.
fn make_sense(runs: &[(LogId, Run)], table_at: u64) -> bool {
    let mut free = HEADER as u64;
    runs.iter().all(|(_, run)| {
        let begins = run.at >= free;
        free = run.at.saturating_add(run.stored());
        let all = run.end.0.checked_sub(run.base.0).filter(|all| *all > 0);
        begins && free <= table_at && all.is_some_and(|all| run.offsets <= all)
    })
}

fn take_footer(footer: [u8; FOOTER], number: u64) -> Option<(u64, usize)> {
    let (fields, mut crc) = footer.split_at(FOOTER - 4);
    let mut fields = fields.to_vec();
    if !mend(&mut fields, crc.get_u32()) {
        return None;
    }
    let mut fields = fields.strip_prefix(&END_MAGIC[..])?;
    let (at, length) = (fields.get_u64(), fields.get_u32() as usize);
    (fields.get_u64() == number).then_some((at, length))
}

/// Where a segment's table and footer fail their checksums, for one that can be read: each holds a
/// flipped bit that [`read_table`] mends.
pub(crate) fn mended_in_table(file: &dyn File, number: u64) -> io::Result<Vec<u64>> {
    let footer_at = file.len()?.saturating_sub(FOOTER as u64);
    let mut footer = [0; FOOTER];
    read_full_at(file, &mut footer, footer_at)?;
    let fails = |octets: &[u8]| {
        let (fields, mut crc) = octets.split_at(octets.len() - 4);
        crc32c(fields) != crc.get_u32()
    };
    let mut mended = Vec::new();
    if fails(&footer) {
        mended.push(footer_at);
    }
    if let Some((at, length)) = take_footer(footer, number).filter(|(_, length)| *length >= 8) {
        let mut octets = vec![0; length];
        read_full_at(file, &mut octets, at)?;
        if fails(&octets) {
            mended.push(at);
        }
    }
    Ok(mended)
}

#[cfg(test)]
mod tests {
    use standpipe_core::id::{Millis, Offset, PartitionId, TopicId};
    use uuid::Uuid;

    use super::*;

    /// Three runs of 100 octets and two points, one behind the other.
    fn runs() -> Vec<(LogId, Run)> {
        let log = LogId {
            topic: TopicId(Uuid::from_u128(5)),
            partition: PartitionId(0),
        };
        let run = |n| Run {
            segment: 1,
            born: 1,
            base: Offset(10),
            end: Offset(20),
            at: HEADER as u64 + n as u64 * 180,
            length: 100,
            points: 2,
            points_crc: 0,
            octets: 50,
            entries: 1,
            offsets: 10,
            latest: 0,
            appended: Millis(0),
        };
        (0..3).map(|n| (log, run(n))).collect()
    }

    #[test]
    fn runs_make_sense_only_where_they_lie_one_behind_the_other() {
        let table_at = HEADER as u64 + 3 * 180;
        assert!(make_sense(&runs(), table_at));
        assert!(!make_sense(&runs(), table_at - 1));
        let changes: [fn(&mut Run); 6] = [
            |run| run.at = 0,
            |run| run.at -= 1,
            |run| run.length = u64::MAX,
            |run| run.points = 3,
            |run| run.end = run.base,
            |run| run.offsets = 11,
        ];
        for (n, change) in changes.iter().enumerate() {
            let mut changed = runs();
            change(&mut changed[1].1);
            assert!(!make_sense(&changed, table_at), "change {n}");
        }
    }
}
