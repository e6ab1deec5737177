//! The two fields of a stored batch that are the broker's, and lie outside its checksum.

use bytes::{BufMut, BytesMut};
use standpipe_core::entry::Entry;

use super::header::{BEFORE_LENGTH, EPOCH_AT, LENGTH};

/// Appends a stored batch with the offset and leader epoch of its entry; all else is the
/// producer's, octet for octet. Nothing where the body is no batch, which no checked one is.
pub(crate) fn put_patched(entry: &Entry, out: &mut BytesMut) {
    let body = entry.body();
    if body.len() < LENGTH {
        return;
    }
    out.put_u64(entry.base_offset.0);
    out.put_slice(&body[8..BEFORE_LENGTH]);
    out.put_u32(entry.leader_epoch);
    out.put_slice(&body[EPOCH_AT + 4..]);
}
