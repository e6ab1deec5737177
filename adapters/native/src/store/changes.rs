//! A cursor's changes since its last snapshot.

use bytes::Bytes;
use standpipe_core::wire::{Reader, Writer};

/// Changes behind one another in one allocation, each behind its length: there may be many, small ones.
#[derive(Debug, Default, Clone)]
pub(crate) struct Changes(bytes::BytesMut);

impl Changes {
    /// Adds a change; where it is a snapshot, those before it go.
    pub(crate) fn push(&mut self, change: &[u8], reset: bool) {
        if reset {
            self.0.clear();
        }
        self.0.put_bytes_with_length(change);
    }

    /// All of them, in order.
    pub(crate) fn to_vec(&self) -> Vec<Bytes> {
        let mut reader = Reader::new(Bytes::copy_from_slice(&self.0), "read cursor");
        std::iter::from_fn(|| reader.bytes().ok()).collect()
    }
}
