//! A record as it was before one bit outside its bodies flipped.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use standpipe_core::store::Op;

use super::{
    header::RECORD_HEADER,
    repair::{LONGEST, mend_up_to},
    scan::take_steps,
    step::{Step, take_step},
};

/// Steps before the place where reading stopped that may be the one that was misread.
const STEPS: usize = 16;
/// Octets that are tried where no step stands: what says how long one is lies at its front.
const FRONT: usize = 4096;
/// Steps that are read again at most. A torn tail has no flipped bit to find, and any number of steps.
const MOST: usize = 1 << 20;
/// Octets of steps that a checksum is held against at most, bodies left out.
const SUMMED: usize = 4 * 1024 * 1024;

/// Mends one flipped bit in the steps of `record`, whose checksum should be `expected`; `None`
/// where none explains what is there. Only for damage, so that it may take a while.
pub(super) fn mend_steps(record: &Bytes, expected: u32) -> Option<(Bytes, Vec<Step>)> {
    let path = Path::through(record);
    if path.whole {
        return path.mend_sum(record, expected);
    }
    Search::new(expected).flip_back(record, &path)
}

/// Tries bit after bit where the reading stopped, and in the steps just before.
struct Search {
    expected: u32,
    /// Steps that may still be read.
    left: usize,
}

impl Search {
    fn new(expected: u32) -> Self {
        Self {
            expected,
            left: MOST,
        }
    }

    fn flip_back(&mut self, record: &Bytes, path: &Path) -> Option<(Bytes, Vec<Step>)> {
        let mut tried = BytesMut::from(&record[..]);
        for stretch in path.stretches.iter().rev().take(STEPS) {
            for octet in stretch.tried() {
                for bit in 0..8 {
                    tried[octet] ^= 1 << bit;
                    let frozen = tried.freeze();
                    if self.leads_on(&frozen, stretch)
                        && let Some(steps) = take_steps(&frozen, self.expected)
                    {
                        return Some((frozen, steps));
                    }
                    // Nothing of it was kept, so that this copies nothing.
                    tried = BytesMut::from(frozen);
                    tried[octet] ^= 1 << bit;
                }
            }
        }
        None
    }

    /// Whether the steps from `stretch` on lead to the end of the record now. Those before it are as
    /// they were, and there may be many.
    fn leads_on(&mut self, record: &Bytes, stretch: &Stretch) -> bool {
        let mut at = stretch.octets.start;
        while at < record.len() && self.left > 0 {
            self.left -= 1;
            let Ok((_, next)) = take_step(record, at) else {
                return false;
            };
            // It ends where it did: what follows stops where it stopped.
            if at == stretch.octets.start && stretch.next == Some(next) {
                return false;
            }
            at = next;
        }
        at >= record.len()
    }
}

/// A step as it is read.
struct Stretch {
    /// Its octets, the body left out.
    octets: Range<usize>,
    /// How many of them only the record's checksum covers: an envelope has one of its own.
    loose: usize,
    /// Behind those that say how long it is.
    front: usize,
    /// Where the next one begins; `None` where this one is none.
    next: Option<usize>,
}

impl Stretch {
    fn read(record: &Bytes, at: usize) -> Self {
        let Ok((step, next)) = take_step(record, at) else {
            let end = record.len().min(at + FRONT);
            return Self {
                octets: at..end,
                loose: end - at,
                front: end,
                next: None,
            };
        };
        let (end, loose) = match &step {
            Step::Append(append) => (append.head_at + append.head_length, append.head_at - at),
            Step::Other(_) => (next, next - at),
        };
        Self {
            octets: at..end,
            loose,
            front: front(&step, next),
            next: Some(next),
        }
    }

    /// The octets of which one flipped bit may have led the reading astray.
    fn tried(&self) -> Range<usize> {
        self.octets.start..self.front
    }
}

/// Behind the octets that say how long a step is, which ends at `next`. What it brings comes last; an
/// envelope that can be read is as written, since it has a checksum.
fn front(step: &Step, next: usize) -> usize {
    match step {
        Step::Append(append) => append.head_at,
        Step::Other(
            Op::PutIf {
                value: Some(brought),
                ..
            }
            | Op::PutIf {
                key: brought,
                value: None,
                ..
            }
            | Op::Cursor {
                change: brought, ..
            },
        ) => next - brought.len(),
        Step::Other(_) => next,
    }
}

/// The steps as they are read one behind the other, bodies left out. Up to the flipped bit they
/// are as written, so one of them holds it, and where they stop it is not far.
struct Path {
    stretches: Vec<Stretch>,
    whole: bool,
}

impl Path {
    fn through(record: &Bytes) -> Self {
        let (mut stretches, mut next) = (Vec::new(), Some(RECORD_HEADER));
        while let Some(at) = next.filter(|at| *at < record.len()) {
            let stretch = Stretch::read(record, at);
            next = stretch.next;
            stretches.push(stretch);
        }
        let whole = next.is_some();
        Self { stretches, whole }
    }

    /// All of it could be read, so that only its checksum has to name the bit. That is in none of the
    /// envelopes, which are as written: with a bit of one flipped, the steps cannot be taken.
    fn mend_sum(&self, record: &Bytes, expected: u32) -> Option<(Bytes, Vec<Step>)> {
        let loose: usize = self.stretches.iter().map(|stretch| stretch.loose).sum();
        if loose > LONGEST {
            return None;
        }
        let stretches = || self.stretches.iter().map(|stretch| stretch.octets.clone());
        let mut summed: Vec<u8> = stretches().flat_map(|s| record[s].to_vec()).collect();
        if !mend_up_to(SUMMED, &mut summed, expected) {
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

#[cfg(test)]
mod tests {
    use standpipe_core::{
        checksum::crc32c,
        entry::{Draft, Entry, Format},
        id::{LogId, Millis, Offset, PartitionId, TopicId},
        store::Epoch,
    };
    use uuid::Uuid;

    use super::*;
    use crate::store::{
        header::RecordHeader,
        position::Position,
        record::{Part, RecordFacts, RecordWriter},
    };

    const SALT: u32 = 7;

    const SMALL: &[u8] = b"body";
    const SHARED: &[u8] = b"a body that many entries share";

    /// A record that appends so many entries with one body, and the checksum of its steps.
    fn record(steps: usize, body: &'static [u8]) -> (Bytes, u32) {
        let log = LogId {
            topic: TopicId(Uuid::from_u128(5)),
            partition: PartitionId(0),
        };
        let mut part = Part::new(Position::new(1, 0), None, BytesMut::new());
        let mut writer = RecordWriter::begin(&mut part, steps);
        for n in 0..steps {
            let entry = Entry {
                base_offset: Offset(n as u64),
                appended: Millis(1),
                leader_epoch: 1,
                draft: Draft::single(Format::NATIVE, Bytes::from_static(body)),
            };
            writer.append(log, &entry, crc32c(entry.body()));
        }
        writer.finish(RecordFacts {
            salt: SALT,
            seq: 1,
            epoch: Epoch(1),
            synced: Position::default(),
        });
        let record = part.bytes.freeze();
        let header = RecordHeader::decode(&record, SALT).unwrap();
        (record, header.steps_crc)
    }

    #[test]
    fn a_torn_record_of_many_steps_costs_little_however_many_they_are() {
        let (whole, expected) = record(20_000, SMALL);
        for at in [whole.len() / 2, whole.len() - 4096, whole.len() - 60] {
            let mut torn = whole.to_vec();
            torn[at..].fill(0);
            let torn = Bytes::from(torn);
            let path = Path::through(&torn);
            assert!(!path.whole && path.stretches.len() > 9_000);
            let mut search = Search::new(expected);
            assert!(search.flip_back(&torn, &path).is_none());
            let read = MOST - search.left;
            assert!(read < 60_000, "{read} steps for a tail torn at {at}");
        }
    }

    /// Flips a bit in every sixth octet of a step in the middle.
    fn mends_a_step_of(steps: usize, body: &'static [u8]) {
        let (whole, expected) = record(steps, body);
        let path = Path::through(&whole);
        let step = path.stretches[steps / 2].octets.clone();
        for (n, octet) in step.step_by(6).enumerate() {
            let mut flipped = whole.to_vec();
            flipped[octet] ^= 1 << (n % 8);
            let (mended, taken) = mend_steps(&flipped.into(), expected).unwrap();
            assert_eq!(mended, whole, "octet {octet}");
            assert_eq!(taken.len(), steps);
        }
    }

    #[test]
    fn a_flipped_bit_is_mended_in_a_record_of_many_steps() {
        mends_a_step_of(200, SMALL);
    }

    #[test]
    fn a_flipped_bit_is_mended_in_a_record_whose_body_a_thousand_logs_share() {
        mends_a_step_of(1_000, SHARED);
    }
}
