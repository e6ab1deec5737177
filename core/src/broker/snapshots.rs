//! When a cursor's snapshot replaces the changes before it.

/// Octets of changes that are worth a snapshot, however small that is.
const LEAST: usize = 4096;

/// What was written of one cursor since its last snapshot.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Snapshots {
    since: usize,
    last: usize,
}

impl Snapshots {
    /// Counts `octets` of changes. A snapshot is due once they outweigh the last one, so that
    /// snapshots cost no more than changes do, however much is settled out of order.
    pub(super) fn is_due(&mut self, octets: usize) -> bool {
        self.since += octets;
        self.since > self.last.max(LEAST)
    }

    /// A snapshot of so many octets was written.
    pub(super) fn taken(&mut self, octets: usize) {
        (self.since, self.last) = (0, octets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_snapshots_are_rare() {
        let mut snapshots = Snapshots::default();
        let (mut changes, mut written) = (0, 0);
        for settled in 0..1_000_000usize {
            changes += 5;
            if snapshots.is_due(5) {
                snapshots.taken(settled / 8);
                written += settled / 8;
            }
        }
        assert!(written < 2 * changes, "{written} for {changes}");
    }
}
