//! What a segment says about itself: header, table of runs, footer.

use std::io;

use bytes::{Buf, BufMut, Bytes};
use standpipe_core::{checksum::crc32c, id::LogId, wire::Reader};

use super::{END_MAGIC, FOOTER, HEADER, MAGIC, Run};
use crate::store::{
    repair::mend,
    vfs::{File, read_full_at},
};

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
    if !mend(&mut octets, (&crc[..]).get_u32()) {
        return Ok(None);
    }
    let mut reader = Reader::new(Bytes::from(octets), "read segment");
    let count = reader.u32().unwrap_or(0);
    let runs = (0..count).map(|_| Run::take(number, &mut reader).ok());
    let Some(mut runs) = runs.collect::<Option<Vec<_>>>() else {
        return Ok(None);
    };
    // The first segments did not say how many offsets there are in each run.
    for (_, run) in &mut runs {
        run.offsets = reader.u64().unwrap_or(run.end.0 - run.base.0);
    }
    Ok(Some(runs))
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
