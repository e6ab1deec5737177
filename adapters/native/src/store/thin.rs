//! Giving back the space of runs that nobody needs most of: one message that is never settled, or one
//! key that never changes, does not pin a whole segment.

use std::io;

use standpipe_core::{
    error::Error,
    id::{LogId, Offset},
};

use super::{
    flush::Flusher,
    ranges::Ranges,
    segment::{Run, SegmentWriter, copy_run},
};

/// What a round gives back at least, as a part of a segment: it ends with a checkpoint.
const WORTH: u64 = 8;

/// A run of which at most half is needed, and what of it is not.
struct Sparse {
    log: LogId,
    run: Run,
    start: Offset,
    forgotten: Ranges,
}

/// What is still needed of a run, where anything is.
type Thinned = (Sparse, Option<Run>);

impl Flusher {
    /// Writes what is still needed of sparse runs into a segment, and lets the runs go.
    pub(super) fn thin(&mut self) -> Result<(), Error> {
        let sparse = self.sparse();
        if sparse.is_empty() {
            return Ok(());
        }
        let number = self.facts.next_segment;
        let thinned = self
            .write_thinned(number, sparse)
            .map_err(|error| self.give_up(number, error))?;
        let runs = thinned.iter().filter(|(_, new)| new.is_some()).count();
        let facts = self.count(number, runs);
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
        let snapshot = state.snapshot();
        drop(state);
        self.lay_footing(facts.first_file, &snapshot)?;
        self.checkpoint(facts, snapshot)
    }

    /// Sparse runs, by log and offset: no more than a segment takes, none where little is to be won.
    fn sparse(&self) -> Vec<Sparse> {
        let state = self.shared.state.lock();
        let ids: Vec<_> = state.contents.logs.keys().copied().collect();
        drop(state);
        let (mut sparse, mut freed, mut copied) = (Vec::new(), 0, 0);
        let limit = self.shared.segment_size();
        for log in ids {
            // One at a time: appends wait meanwhile.
            let state = self.shared.state.lock();
            let Some(known) = state.contents.logs.get(&log) else {
                continue;
            };
            for (run, needed) in known.sparse_runs() {
                let left = (run.stored() as f64 * needed) as u64;
                if self.untouched.contains(&(run.segment, run.at)) || copied + left > limit {
                    continue;
                }
                copied += left;
                freed += run.stored() - left;
                sparse.push(Sparse {
                    log,
                    run: run.clone(),
                    start: known.bounds().start,
                    forgotten: known.forgotten().within(&(run.base..run.end)),
                });
            }
        }
        if freed * WORTH < limit {
            return Vec::new();
        }
        sparse.sort_unstable_by_key(|sparse| {
            let LogId { topic, partition } = sparse.log;
            (topic.0, partition.0, sparse.run.base)
        });
        sparse
    }

    /// Writes the segment; a run that is damaged where it is needed stays as it is.
    fn write_thinned(&mut self, number: u64, sparse: Vec<Sparse>) -> io::Result<Vec<Thinned>> {
        let mut segment = SegmentWriter::create(&*self.shared.disk, number)?;
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
