//! What a checkpoint stands on: the commits that it counts, in the journal files that stay.

use std::ops::RangeInclusive;

use standpipe_core::error::{Error, ErrorKind};

use super::shared::{Ending, Shared};

/// Commits that the thread behind the journal wants on disk before it writes a checkpoint.
#[derive(Debug)]
pub(crate) struct Footing {
    /// The files that stay and hold something of it; what those before them hold goes into a segment.
    pub(crate) files: RangeInclusive<u32>,
    /// The last commit that the checkpoint counts.
    pub(crate) seq: u64,
    /// What came of it.
    outcome: Option<Result<(), Error>>,
}

impl Footing {
    /// Whether nothing came of it yet.
    pub(crate) fn is_open(&self) -> bool {
        self.outcome.is_none()
    }
}

impl Shared {
    /// Waits until what `files` hold up to commit `seq` is on disk. The journal may grow above its
    /// limit meanwhile: what it waits for may not be written otherwise.
    ///
    /// # Errors
    /// Why it cannot be written or synced; `Closed` where the store ends before.
    pub(crate) fn lay_footing(&self, files: RangeInclusive<u32>, seq: u64) -> Result<(), Error> {
        let mut state = self.state.lock();
        state.footing = Some(Footing {
            files,
            seq,
            outcome: None,
        });
        self.wake.notify_one();
        self.room.notify_one();
        let is_open = |footing: &Option<Footing>| footing.as_ref().is_some_and(Footing::is_open);
        while is_open(&state.footing) && state.ending == Ending::None {
            self.flush.wait(&mut state);
        }
        let outcome = state.footing.take().and_then(|footing| footing.outcome);
        outcome.unwrap_or_else(|| {
            Err(Error::new(
                ErrorKind::Closed,
                "checkpoint",
                "the store ends",
            ))
        })
    }

    /// The files of which commits up to one at or below `written` are wanted on disk.
    pub(crate) fn footing_wanted(&self, written: u64) -> Option<RangeInclusive<u32>> {
        let state = self.state.lock();
        let footing = state.footing.as_ref()?;
        (footing.is_open() && footing.seq <= written).then(|| footing.files.clone())
    }

    /// Tells what came of it.
    pub(crate) fn note_footing(&self, outcome: Result<(), Error>) {
        if let Some(footing) = &mut self.state.lock().footing {
            footing.outcome.get_or_insert(outcome);
        }
        self.flush.notify_one();
    }
}
