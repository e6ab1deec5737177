//! The destinations behind one routing key.

use super::Destination;

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

    pub(super) fn iter(&self) -> impl Iterator<Item = &Destination> {
        self.0.iter().map(|(destination, _)| destination)
    }

    fn place(&self, destination: &Destination) -> Result<usize, usize> {
        self.0.binary_search_by(|(held, _)| held.cmp(destination))
    }
}
