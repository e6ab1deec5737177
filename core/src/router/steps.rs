//! How much one route may do.

/// Octets of a key, a header or an argument that one step looks at.
const OCTETS: usize = 64;

/// Steps that a route may still take. A step is a look at a destination, a rule, a place in a trie, or
/// at some octets. A route holds the broker's state while it looks, so that it must end soon.
#[derive(Debug)]
pub(super) struct Steps(usize);

impl Steps {
    pub(super) fn new(limit: usize) -> Self {
        Self(limit)
    }

    /// Takes steps; `None` where so many are not left, and the route ends.
    pub(super) fn take(&mut self, count: usize) -> Option<()> {
        self.0 = self.0.checked_sub(count)?;
        Some(())
    }

    /// How many steps a look at so many octets is.
    pub(super) fn over(octets: usize) -> usize {
        1 + octets / OCTETS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_taken_while_there_are_so_many() {
        let mut steps = Steps::new(5);
        let taken = [3, 3, 2, 0, 1].map(|count| steps.take(count).is_some());
        assert_eq!(taken, [true, false, true, true, false]);
    }

    #[test]
    fn what_is_longer_takes_more_steps_to_look_at() {
        let steps = [0, 63, 64, 1024].map(Steps::over);
        assert_eq!(steps, [1, 1, 2, 17]);
    }
}
