//! A record as it was before one bit outside its bodies flipped.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::{
    header::RECORD_HEADER,
    repair::mend,
    scan::take_steps,
    step::{Step, take_step},
};

/// Steps before the place where reading stopped that may be the one that was misread.
const STEPS: usize = 16;
/// Octets of a step that are tried: what says how long it is lies at its front.
const FRONT: usize = 4096;

/// Mends one flipped bit in the steps of `record`, whose checksum should be `expected`; `None`
/// where none explains what is there. Only for damage, so that it may take a while.
pub(super) fn mend_steps(record: &Bytes, expected: u32) -> Option<(Bytes, Vec<Step>)> {
    let path = Path::through(record);
    if path.whole {
        return path.mend_sum(record, expected);
    }
    let mut tried = BytesMut::from(&record[..]);
    for octet in path.stretches.iter().rev().take(STEPS).cloned().flatten() {
        for bit in 0..8 {
            tried[octet] ^= 1 << bit;
            let frozen = tried.freeze();
            if let Some(steps) = take_steps(&frozen, expected) {
                return Some((frozen, steps));
            }
            // Nothing of it was kept, so that this copies nothing.
            tried = BytesMut::from(frozen);
            tried[octet] ^= 1 << bit;
        }
    }
    None
}

/// The steps as they are read one behind the other, bodies left out. Up to the flipped bit they
/// are as written, so one of them holds it, and where they stop it is not far.
struct Path {
    stretches: Vec<Range<usize>>,
    whole: bool,
}

impl Path {
    fn through(record: &Bytes) -> Self {
        let mut path = Self {
            stretches: Vec::new(),
            whole: true,
        };
        let mut at = RECORD_HEADER;
        while at < record.len() {
            let Ok((step, next)) = take_step(record, at) else {
                let end = record.len().min(at + FRONT);
                path.stretches.push(at..end);
                path.whole = false;
                break;
            };
            let end = match &step {
                Step::Append(append) if append.inline => append.body_at,
                _ => next,
            };
            path.stretches.push(at..end);
            at = next;
        }
        path
    }

    /// All of it could be read, so that only its checksum has to name the bit.
    fn mend_sum(&self, record: &Bytes, expected: u32) -> Option<(Bytes, Vec<Step>)> {
        let stretches = || self.stretches.iter().cloned();
        let mut summed: Vec<u8> = stretches().flat_map(|s| record[s].to_vec()).collect();
        if !mend(&mut summed, expected) {
            return None;
        }
        let (mut mended, mut rest) = (BytesMut::from(&record[..]), &summed[..]);
        for stretch in stretches() {
            let (these, later) = rest.split_at(stretch.len());
            mended[stretch].copy_from_slice(these);
            rest = later;
        }
        let mended = mended.freeze();
        let steps = take_steps(&mended, expected)?;
        Some((mended, steps))
    }
}
