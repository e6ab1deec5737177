//! What can be chosen about a native store.

use std::time::Duration;

/// Sizes of a native store; the defaults suit a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreOptions {
    /// Octets of a journal file; a commit that is larger gets a file of its own.
    pub file_size: u32,
    /// Octets of journal files at most, about: above half of it, the oldest are moved into segments,
    /// and at all of it, writing waits for that.
    pub journal_bytes: u64,
    /// Octets of the newest entries that are kept in memory, over all logs.
    pub tail_bytes: usize,
    /// Octets that may wait to be written; what comes on top is refused with `Throttled`.
    pub pending_bytes: usize,
    /// Time between two looks for segments of which little is still needed, which are written again.
    pub thinning: Duration,
}

impl StoreOptions {
    /// The same, made smaller so that a disk of `total` octets holds some journal files, the
    /// reserve, and mostly messages.
    #[must_use]
    pub(crate) fn fit(&self, total: u64) -> Self {
        const SMALLEST: u64 = 1024 * 1024;
        let file_size = u64::from(self.file_size).min((total / 24).max(SMALLEST));
        let file_size = u32::try_from(file_size).unwrap_or(self.file_size);
        let pending = self.pending_bytes as u64;
        Self {
            file_size,
            journal_bytes: self.journal_bytes.min((total / 4).max(3 * SMALLEST)),
            pending_bytes: pending.min((total / 24).max(SMALLEST)) as usize,
            ..self.clone()
        }
    }

    /// Octets that are kept back for a full disk: a journal file, a checkpoint, and what may wait to
    /// be written before the first ack, up to two files.
    pub(crate) fn reserve(&self) -> u64 {
        let file = u64::from(self.file_size);
        let waiting = (self.pending_bytes as u64).min(2 * file);
        file + waiting + (file / 8).max(64 * 1024)
    }
}

impl Default for StoreOptions {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self {
            file_size: 32 * MIB as u32,
            journal_bytes: 256 * MIB as u64,
            tail_bytes: 16 * MIB,
            pending_bytes: 128 * MIB,
            thinning: Duration::from_secs(1),
        }
    }
}
