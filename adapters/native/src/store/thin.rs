//! Giving back the space of runs that nobody needs most of: one message that is never settled, or one
//! key that never changes, does not pin a whole segment.

use std::io;

use standpipe_core::{
    error::Error,
    id::{LogId, Offset},
    ranges::Ranges,
};

use super::{
    checkpoint::Facts,
    flush::Flusher,
    segment::{Run, SegmentWriter, copy_run},
    vfs::is_full,
};

/// What a round gives back at least, as a part of a segment: it ends with a checkpoint.
const WORTH: u64 = 8;
/// What a round goes through at most, in segments.
const SEGMENTS: u64 = 32;

/// A run of which at most half is needed, and which part that is.
struct Candidate {
    log: LogId,
    run: Run,
    needed: f64,
}

/// A run that is written again, and what of it nobody needs.
struct Sparse {
    log: LogId,
    run: Run,
    start: Offset,
    forgotten: Ranges,
}

/// What is still needed of a run, where anything is.
type Thinned = (Sparse, Option<Run>);

impl Candidate {
    /// Octets that are copied of it, about.
    fn left(&self) -> u64 {
        (self.run.stored() as f64 * self.needed) as u64
    }
}

/// Octets that a copy may take where so many are free: it gives space back with the next checkpoint only,
/// which takes what the one before it took, or somewhat more, and acks are written meanwhile.
fn room(free: Option<u64>, checkpoint: u64) -> u64 {
    let beside = |free: u64| free.saturating_sub(checkpoint.saturating_mul(2)) / 2;
    free.map_or(u64::MAX, beside)
}

/// Those that give back most for what is copied, which is `limit` octets at most; none where little is
/// to be won. A segment has about `segment` octets.
fn best(mut candidates: Vec<Candidate>, limit: u64, segment: u64) -> Vec<Candidate> {
    candidates.sort_by(|one, other| one.needed.total_cmp(&other.needed));
    let most = segment.saturating_mul(SEGMENTS);
    let (mut freed, mut copied) = (0, 0);
    candidates.retain(|one| {
        let left = one.left();
        let taken = copied + left <= limit && freed + copied < most;
        if taken {
            copied += left;
            freed += one.run.stored() - left;
        }
        taken
    });
    match freed * WORTH < limit {
        true => Vec::new(),
        false => candidates,
    }
}

impl Flusher {
    /// Writes what is still needed of sparse runs into a segment, and lets the runs go.
    pub(super) fn thin(&mut self) -> Result<(), Error> {
        let room = room(self.shared.disk.free(), self.checkpoint_octets);
        let (most, limit) = (self.most_copied, self.most_copied.min(room));
        // More the next time, unless the disk has no room for this.
        self.most_copied = most.saturating_mul(2).min(self.shared.segment_size());
        let facts = if self.superseded.is_empty() {
            let sparse = match limit {
                0 => Vec::new(),
                _ => self.sparse(limit),
            };
            if sparse.is_empty() {
                return Ok(());
            }
            self.replace(sparse, (limit, room))?
        } else {
            // The checkpoint was all that was missing the last time; a copy more takes its space.
            self.facts
        };
        let snapshot = self.shared.state.lock().snapshot();
        self.lay_footing(facts.first_file, &snapshot)?;
        self.checkpoint(facts, snapshot)
    }

    /// Puts what is still needed of sparse runs in their place, about `limit` octets and no more than there
    /// is `room` for; returns what a checkpoint says then.
    fn replace(&mut self, sparse: Vec<Sparse>, (limit, room): (u64, u64)) -> Result<Facts, Error> {
        let number = self.facts.next_segment;
        let thinned = self.write_thinned(number, sparse, room).map_err(|error| {
            if is_full(&error) {
                self.most_copied = (limit / 2).max(1);
            }
            self.give_up(number, error)
        })?;
        let facts = self.count(number, thinned.iter().filter_map(|(_, new)| new.as_ref()));
        let mut state = self.shared.state.lock();
        let contents = &mut state.contents;
        for (Sparse { log, run, .. }, new) in thinned {
            let known = contents.logs.get_mut(&log);
            let known = known.filter(|known| known.born() == run.born);
            if known.is_some_and(|known| known.thin(&run, new.clone())) {
                self.superseded.push(run);
            } else {
                contents.let_go(new.into_iter().collect());
            }
        }
        Ok(facts)
    }

    /// The sparse runs that are written again in one round, by log and offset.
    fn sparse(&self, limit: u64) -> Vec<Sparse> {
        let state = self.shared.state.lock();
        let ids: Vec<_> = state.contents.logs.keys().copied().collect();
        drop(state);
        let mut candidates = Vec::new();
        for log in ids {
            // One at a time: appends wait meanwhile.
            let state = self.shared.state.lock();
            let Some(known) = state.contents.logs.get(&log) else {
                continue;
            };
            for (run, needed) in known.sparse_runs() {
                if !self.untouched.contains(&(run.segment, run.at)) {
                    let run = run.clone();
                    candidates.push(Candidate { log, run, needed });
                }
            }
        }
        let best = best(candidates, limit, self.shared.segment_size());
        let sparse = best.into_iter().filter_map(|one| self.look_at(one));
        let mut sparse: Vec<_> = sparse.collect();
        sparse.sort_unstable_by_key(|sparse| {
            let LogId { topic, partition } = sparse.log;
            (topic.0, partition.0, sparse.run.base)
        });
        sparse
    }

    /// What of a run nobody needs; `None` where it was let go of meanwhile.
    fn look_at(&self, Candidate { log, run, .. }: Candidate) -> Option<Sparse> {
        let state = self.shared.state.lock();
        let known = state.contents.logs.get(&log)?;
        let (start, forgotten) = (known.bounds().start, known.forgotten());
        let forgotten = forgotten.within(&(run.base..run.end));
        known.has_run(&run).then_some(Sparse {
            log,
            run,
            start,
            forgotten,
        })
    }

    /// Writes the segment; a run that is damaged where it is needed, or cannot be read, stays as it is.
    fn write_thinned(
        &mut self,
        number: u64,
        sparse: Vec<Sparse>,
        room: u64,
    ) -> io::Result<Vec<Thinned>> {
        let mut segment = SegmentWriter::create(&*self.shared.disk, number)?.with_room(room);
        let mut copied = Vec::new();
        for one in sparse {
            let needless = (one.start, &one.forgotten);
            match copy_run(&self.shared, (one.log, &one.run), needless, &mut segment)? {
                Some(anything) => copied.push((one, anything)),
                None => {
                    self.untouched.insert((one.run.segment, one.run.at));
                }
            }
        }
        if segment.is_empty() {
            self.shared.segments.remove(number)?;
            return Ok(copied.into_iter().map(|(one, _)| (one, None)).collect());
        }
        let mut runs = segment.finish()?.into_iter().map(|(_, run)| run);
        self.shared.disk.sync_names()?;
        let thinned = copied.into_iter().map(|(one, anything)| {
            let new = if anything { runs.next() } else { None };
            (one, new)
        });
        Ok(thinned.collect())
    }
}

#[cfg(test)]
mod tests {
    use standpipe_core::id::{Millis, PartitionId, TopicId};
    use uuid::Uuid;

    use super::*;

    const SEGMENT: u64 = 1000;

    /// A run of 1,000 octets.
    fn candidate(at: u64, needed: f64) -> Candidate {
        let run = Run {
            segment: 1,
            born: 1,
            base: Offset(at),
            end: Offset(at + 1000),
            at,
            length: 1000,
            points: 0,
            points_crc: 0,
            octets: 1000,
            entries: 1000,
            offsets: 1000,
            latest: 0,
            appended: Millis(0),
        };
        let log = LogId {
            topic: TopicId(Uuid::nil()),
            partition: PartitionId(0),
        };
        Candidate { log, run, needed }
    }

    fn taken(needed: &[f64], limit: u64) -> Vec<u64> {
        let numbered = (0..).zip(needed);
        let candidates = numbered.map(|(at, needed)| candidate(at, *needed));
        let best = best(candidates.collect(), limit, SEGMENT);
        best.iter().map(|one| one.run.at).collect()
    }

    #[test]
    fn what_gives_back_most_for_its_copy_goes_first() {
        assert_eq!(taken(&[0.5, 0.1, 0.4, 0.2], 300), [1, 3]);
        assert_eq!(taken(&[0.5, 0.1, 0.4, 0.2], 800), [1, 3, 2]);
        assert_eq!(taken(&[0.5, 0.4, 0.2], 210), [2], "the others do not fit");
    }

    #[test]
    fn a_copy_leaves_room_for_two_checkpoints_and_half_of_the_rest() {
        assert_eq!(room(Some(1000), 100), 400);
        assert_eq!(room(Some(200), 100), 0);
        assert_eq!(room(Some(100), u64::MAX), 0);
        assert_eq!(room(None, 100), u64::MAX, "not known");
    }

    #[test]
    fn a_round_is_worth_its_checkpoint_and_goes_through_so_many_segments() {
        assert_eq!(taken(&[0.5], 4000), [0]);
        assert!(taken(&[0.5], 4001).is_empty());
        assert_eq!(taken(&[0.0; 50], 100).len() as u64, SEGMENTS);
    }
}
