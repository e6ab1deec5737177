//! What can be chosen about a native store.

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
}

impl Default for StoreOptions {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self {
            file_size: 64 * MIB as u32,
            journal_bytes: 256 * MIB as u64,
            tail_bytes: 16 * MIB,
            pending_bytes: 128 * MIB,
        }
    }
}
