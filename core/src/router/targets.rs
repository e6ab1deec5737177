//! The destinations behind one routing key.

use super::{Destination, steps::Steps};

/// A set of destinations, each with the number of bindings that lead there: bindings that differ
/// only in what their exchange ignores deliver once.
#[derive(Debug, Default)]
pub(super) struct Targets(Vec<(Destination, u32)>);

impl Targets {
    pub(super) fn add(&mut self, destination: &Destination) {
        match self.place(destination) {
            Ok(at) => self.0[at].1 += 1,
            Err(at) => self.0.insert(at, (destination.clone(), 1)),
        }
    }

    pub(super) fn remove(&mut self, destination: &Destination) {
        let Ok(at) = self.place(destination) else {
            return;
        };
        self.0[at].1 -= 1;
        if self.0[at].1 == 0 {
            self.0.remove(at);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Calls `found` for each, which is a step; `None`, and no call, where so many are not left.
    pub(super) fn each<'a>(
        &'a self,
        steps: &mut Steps,
        found: impl FnMut(&'a Destination),
    ) -> Option<()> {
        steps.take(self.0.len())?;
        let destinations = self.0.iter().map(|(destination, _)| destination);
        destinations.for_each(found);
        Some(())
    }

    fn place(&self, destination: &Destination) -> Result<usize, usize> {
        self.0.binary_search_by(|(held, _)| held.cmp(destination))
    }
}
